//! Fills the gate of a program whose state Redis has lost, and of a new program.
//!
//! 1. The request claims the filling, appends a barrier to every partition of the orders' topic and
//!    installs the closed map with the positions of the barriers.
//! 2. order-create must have passed the barriers ([`caught_up`]): then every order that was
//!    accepted before the loss is a row in Postgres.
//! 3. The rows are merged ([`shared::refill`]), and the gate opens.
//!
//! One request at a time does this, under a short lease and for a bounded time; all others are
//! answered 503 with Retry-After. The next request, or the timeout-closer's tick, resumes where the
//! previous one stopped or died.

mod caught_up;

use std::time::Duration;

use shared::gate::{Epoch, FillBegun, FillClaim, FillGrant, FillStart, ProgramRef};
use shared::refill::{self, Filled, LEASE_MS};
use shared::sale::Program;
use tokio::time::Instant;

use crate::app::App;
use crate::http::Problem;

/// Lifetime of a claim. Within it the barriers are appended, or a new program is stored.
const CLAIM_MS: u64 = 10_000;
/// How long one request merges rows, while its caller waits.
const MERGE_TIME: Duration = Duration::from_secs(3);

/// Claim of a program that is not stored yet, so that neither Kafka nor Postgres can hold an order
/// of it.
#[derive(Debug)]
pub struct NewProgramClaim(Epoch, FillGrant);

/// Claims the filling of a program that is about to be stored. Returns `None` if the gate is
/// unavailable; the first buyer then fills it.
///
/// The claim must precede the row: a delayed installation then either finds the gate as it was
/// before the first order, or has no effect.
pub async fn claim_new(app: &App, program: &Program) -> Option<NewProgramClaim> {
    let at = ProgramRef::from(program);
    let epoch = Epoch::new(rand::random());
    match app.gate.install_claim(at, &epoch, CLAIM_MS).await {
        Ok(FillClaim::Granted(grant)) => Some(NewProgramClaim(epoch, grant)),
        Ok(FillClaim::Busy { .. }) => None,
        Err(error) => {
            tracing::warn!(program = %program.id, %error, "cannot claim the gate of the new \
                program; its first buyer fills it");
            None
        }
    }
}

/// Installs a program that was stored after [`claim_new`], with all seats free.
pub async fn install_new(
    app: &App,
    program: &Program,
    claim: &NewProgramClaim,
) -> Result<(), Problem> {
    let NewProgramClaim(epoch, grant) = claim;
    let start = Some(FillStart { grant, ends: "{}" });
    let begun = app.gate.install_begin(program, start, epoch, LEASE_MS);
    if let FillBegun::Mine { .. } = begun.await? {
        let at = ProgramRef::from(program);
        app.gate.install_open(at, epoch).await?;
    }
    Ok(())
}

/// Resumes the filling, as far as one request may.
pub async fn resume(app: &App, program: &Program) -> Result<Filled, Problem> {
    let at = ProgramRef::from(program);
    let epoch = Epoch::new(rand::random());
    let begin = async |start| {
        app.gate
            .install_begin(program, start, &epoch, LEASE_MS)
            .await
    };
    let mut begun = begin(None).await?;
    if begun == FillBegun::EndsNeeded {
        let FillClaim::Granted(grant) = app.gate.install_claim(at, &epoch, CLAIM_MS).await? else {
            return Ok(Filled::Unfinished);
        };
        let barriers = match caught_up::append_barriers(app).await {
            Ok(barriers) => barriers.to_string(),
            Err(problem) => {
                // Another storefront may reach the brokers.
                app.gate.install_claim(at, &epoch, 1).await?;
                return Err(problem);
            }
        };
        let start = FillStart {
            grant: &grant,
            ends: &barriers,
        };
        begun = begin(Some(start)).await?;
    }
    let position = match begun {
        FillBegun::AlreadyOpen => return Ok(Filled::Open),
        FillBegun::Busy { .. } | FillBegun::EndsNeeded | FillBegun::GrantLost => {
            return Ok(Filled::Unfinished);
        }
        // A position is recorded only after order-create has passed the barriers.
        FillBegun::Mine { ends, position } => {
            if position.is_empty() && !caught_up::create_has_passed(app, &ends).await? {
                tracing::info!(program = %program.id, "the gate stays closed until order-create \
                    has passed the barriers");
                app.gate.install_renew(at, &epoch, 1, None).await?;
                return Ok(Filled::Unfinished);
            }
            position
        }
    };
    let deadline = Instant::now() + MERGE_TIME;
    let is_over = || Instant::now() >= deadline;
    let filled = refill::fill(&app.gate, &app.store, program, &epoch, &position, &is_over);
    Ok(filled.await?)
}

/// Resumes the filling as [`resume`] does. 503 if the gate is still closed afterwards; a later
/// request resumes.
pub async fn open(app: &App, program: &Program) -> Result<(), Problem> {
    match resume(app, program).await? {
        Filled::Open => Ok(()),
        Filled::Unfinished => Err(Problem::loading()),
    }
}
