//! Filling the gate for a program that it has lost, or that has just been created.
//!
//! 1. The filling is claimed, a barrier is appended to every partition, which only a storefront can do, and the map is installed closed
//!    with their places.
//! 2. Create must have passed the barriers ([`caught_up`]): then every order accepted before the loss is a row.
//! 3. The rows are brought in ([`shared::refill`]), and the gate opens.
//!
//! One request works on this at a time, by a short lease and for a bounded time; all others are answered 503 with Retry-After. The next
//! request, or the timeout-closer's tick, continues where the one before stopped, or died.

mod caught_up;

use std::time::Duration;

use shared::gate::{Claim, Epoch, Grant, Install, ProgramRef, Start};
use shared::refill::{self, Filled, LEASE_MS};
use shared::sale::Program;
use tokio::time::Instant;

pub use caught_up::OwnBarriers;

use crate::http::Problem;
use crate::storefront::Storefront;

/// How long a claim lasts: between it and the beginning the barriers are appended, or a new program is stored.
const CLAIM_MS: u64 = 10_000;
/// How long one request brings in rows: its buyer waits for the answer.
const WORK: Duration = Duration::from_secs(3);

/// How far the filling has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The gate is open.
    Open,
    /// Not yet: come back.
    Loading,
}

/// A program that is not stored yet, so that nothing of it can be in Kafka or in Postgres.
#[derive(Debug)]
pub struct NewProgram(Epoch, Grant);

/// Claims the filling of a program that is about to be stored. Nothing where the gate is away: the first buyer then fills it.
///
/// Before it is stored: an installation that is delayed must find the gate as it was before the first order, or do nothing.
pub async fn claim_new(shop: &Storefront, program: &Program) -> Option<NewProgram> {
    let epoch = Epoch::new(rand::random());
    match shop
        .gate
        .install_claim(ProgramRef::from(program), &epoch, CLAIM_MS)
        .await
    {
        Ok(Claim::Granted(grant)) => Some(NewProgram(epoch, grant)),
        Ok(Claim::Busy { .. }) => None,
        Err(error) => {
            tracing::warn!(program = %program.id, %error, "the new program will be installed by its first buyer");
            None
        }
    }
}

/// Installs a program that was stored since [`claim_new`], with all seats free.
pub async fn install_new(
    shop: &Storefront,
    program: &Program,
    new: &NewProgram,
) -> Result<(), Problem> {
    let NewProgram(epoch, grant) = new;
    let start = Start { grant, ends: "{}" };
    if let Install::Mine { .. } = shop
        .gate
        .install_begin(program, Some(start), epoch, LEASE_MS)
        .await?
    {
        shop.gate
            .install_open(ProgramRef::from(program), epoch)
            .await?;
    }
    Ok(())
}

/// Continues the filling as far as one request may.
pub async fn carry_on(shop: &Storefront, program: &Program) -> Result<Progress, Problem> {
    let at = ProgramRef::from(program);
    let epoch = Epoch::new(rand::random());
    let mut begun = shop
        .gate
        .install_begin(program, None, &epoch, LEASE_MS)
        .await?;
    if begun == Install::EndsNeeded {
        let Claim::Granted(grant) = shop.gate.install_claim(at, &epoch, CLAIM_MS).await? else {
            return Ok(Progress::Loading);
        };
        let barriers = match caught_up::append_barriers(shop).await {
            Ok(barriers) => barriers.to_string(),
            Err(problem) => {
                // Another storefront may reach the brokers.
                shop.gate.install_claim(at, &epoch, 1).await?;
                return Err(problem);
            }
        };
        begun = shop
            .gate
            .install_begin(
                program,
                Some(Start {
                    grant: &grant,
                    ends: &barriers,
                }),
                &epoch,
                LEASE_MS,
            )
            .await?;
    }
    let position = match begun {
        Install::AlreadyOpen => return Ok(Progress::Open),
        Install::Busy { .. } | Install::EndsNeeded | Install::GrantLost => {
            return Ok(Progress::Loading);
        }
        // A position is noted only after create has passed the barriers.
        Install::Mine { ends, position } => {
            if position.is_empty() && !caught_up::create_has_passed(shop, &ends).await? {
                tracing::info!(program = %program.id, "the gate waits for create");
                shop.gate.install_renew(at, &epoch, 1, None).await?;
                return Ok(Progress::Loading);
            }
            position
        }
    };
    let deadline = Instant::now() + WORK;
    match refill::fill(&shop.gate, &shop.store, program, &epoch, &position, &|| {
        Instant::now() >= deadline
    })
    .await?
    {
        Filled::Open => Ok(Progress::Open),
        Filled::Unfinished => Ok(Progress::Loading),
    }
}
