//! Filling the gate for a program that it has lost, or that has just been created.
//!
//! 1. The filling is claimed, and then begun: the map is installed closed, with Kafka's end offsets as they are after the claim. Only a
//!    storefront can read those.
//! 2. Create must have passed these offsets: then every order accepted before the loss is a row.
//! 3. The rows are brought in ([`shared::refill`]), and the gate opens.
//!
//! One request works on this at a time, by a short lease and for a bounded time; all others are answered 503 with Retry-After. The next
//! request, or the timeout-closer's tick, continues where the one before stopped, or died.

use std::time::Duration;

use shared::gate::{Claim, Epoch, Grant, Install, ProgramRef, Start};
use shared::refill::{self, Filled, LEASE_MS};
use shared::sale::Program;
use tokio::time::{Instant, sleep};

use crate::http::Problem;
use crate::kafka::EndOffsets;
use crate::storefront::Storefront;

/// How long a claim lasts: between it and the beginning the end offsets are read, or a new program is stored.
const CLAIM_MS: u64 = 10_000;
/// How long one request waits for create.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);
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
    match shop.gate.install_claim(ProgramRef::from(program), &epoch, CLAIM_MS).await {
        Ok(Claim::Granted(grant)) => Some(NewProgram(epoch, grant)),
        Ok(Claim::Busy { .. }) => None,
        Err(error) => {
            tracing::warn!(program = %program.id, %error, "the new program will be installed by its first buyer");
            None
        }
    }
}

/// Installs a program that was stored since [`claim_new`], with all seats free.
pub async fn install_new(shop: &Storefront, program: &Program, new: &NewProgram) -> Result<(), Problem> {
    let NewProgram(epoch, grant) = new;
    let start = Start { grant, ends: "{}" };
    if let Install::Mine { .. } = shop.gate.install_begin(program, Some(start), epoch, LEASE_MS).await? {
        shop.gate.install_open(ProgramRef::from(program), epoch).await?;
    }
    Ok(())
}

/// Continues the filling as far as one request may.
pub async fn carry_on(shop: &Storefront, program: &Program) -> Result<Progress, Problem> {
    let (at, epoch) = (ProgramRef::from(program), Epoch::new(rand::random()));
    let mut begun = shop.gate.install_begin(program, None, &epoch, LEASE_MS).await?;
    if begun == Install::EndsNeeded {
        let Claim::Granted(grant) = shop.gate.install_claim(at, &epoch, CLAIM_MS).await? else { return Ok(Progress::Loading) };
        let ends = match ends(shop).await {
            Ok(ends) => json(&ends),
            Err(problem) => {
                // Another storefront may reach the brokers.
                shop.gate.install_claim(at, &epoch, 1).await?;
                return Err(problem);
            }
        };
        begun = shop.gate.install_begin(program, Some(Start { grant: &grant, ends: &ends }), &epoch, LEASE_MS).await?;
    }
    let position = match begun {
        Install::AlreadyOpen => return Ok(Progress::Open),
        Install::Busy { .. } | Install::EndsNeeded | Install::GrantLost => return Ok(Progress::Loading),
        // A position is noted only after create has passed the offsets.
        Install::Mine { ends, position } => {
            if position.is_empty() && !create_has_passed(shop, &ends).await? {
                tracing::info!(program = %program.id, "the gate waits for create");
                shop.gate.install_renew(at, &epoch, 1, None).await?;
                return Ok(Progress::Loading);
            }
            position
        }
    };
    let deadline = Instant::now() + WORK;
    match refill::fill(&shop.gate, &shop.store, program, &epoch, &position, &|| Instant::now() >= deadline).await? {
        Filled::Open => Ok(Progress::Open),
        Filled::Unfinished => Ok(Progress::Loading),
    }
}

async fn ends(shop: &Storefront) -> Result<EndOffsets, Problem> {
    shop.publisher.end_offsets().await.map_err(|e| {
        tracing::error!(error = e, "end offsets");
        Problem::unavailable("the program's seats have to be loaded, and that needs the brokers; try again")
    })
}

/// Looks for a while whether create has dealt with all that was in Kafka when the filling began.
async fn create_has_passed(shop: &Storefront, ends: &str) -> Result<bool, Problem> {
    let mut wanted: EndOffsets = serde_json::from_str(ends).unwrap_or_else(|e| {
        // Whatever it was, waiting for the ends of now is waiting for more.
        tracing::error!(error = %e, ends, "the gate holds end offsets that cannot be read");
        EndOffsets::new()
    });
    if wanted.is_empty() && ends != "{}" {
        wanted = self::ends(shop).await?;
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = shop.store.progress(&shop.settings.topic).await?;
        let next = |partition| progress.iter().find(|p| p.partition == partition).map_or(0, |p| p.next_offset);
        wanted.retain(|partition, end| next(*partition) < *end);
        if wanted.is_empty() {
            // Progress beyond the end is that of a topic since made anew: what stands in the new one has not been read.
            let now = if ends == "{}" { EndOffsets::new() } else { self::ends(shop).await? };
            return Ok(!now.iter().any(|(partition, end)| *end > 0 && next(*partition) > *end));
        }
        if Instant::now() >= deadline {
            // A topic that was made anew ends earlier than it did: no more can be asked of create.
            let now = self::ends(shop).await?;
            wanted.retain(|partition, _| next(*partition) < now.get(partition).copied().unwrap_or(0));
            return Ok(wanted.is_empty());
        }
        sleep(LOOK_EVERY).await;
    }
}

/// `{"0":12,"1":7}`
fn json(ends: &EndOffsets) -> String {
    serde_json::to_string(ends).unwrap_or_else(|_| unreachable!("a map of numbers is JSON"))
}
