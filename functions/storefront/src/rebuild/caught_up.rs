//! When order-create has handled everything that Kafka held as the filling of a gate began.
//!
//! The end of a partition is no place that progress is certain to reach: transaction markers and deleted records take offsets, and
//! order-create never receives them. So the storefront appends a [`Barrier`] to every partition, and the filling waits until
//! progress is behind it. The header of the gate keeps where the barriers stand.
//!
//! A barrier can be lost as well: deleted before it was read, or gone with a topic that was created again. Where progress does not
//! pass the barriers of the header in time, this process appends a barrier of its own, one for each partition as long as Kafka keeps
//! it, and waits for that one instead. It stands behind everything that the header's one stood behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::message::Barrier;
use shared::refill::{BarrierPlace, Barriers};
use shared::store::Progress;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::http::Problem;
use crate::kafka::{Logs, Published};
use crate::storefront::Storefront;

/// How long one request waits for order-create.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it reads the progress.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The latest barrier that this process appended to each partition.
#[derive(Debug, Default)]
pub struct OwnBarriers(Mutex<Barriers>);

impl OwnBarriers {
    /// Those that Kafka keeps.
    fn kept(&self, logs: &Logs) -> Barriers {
        let mut own = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        own.0.retain(|partition, BarrierPlace(behind, _)| {
            logs.get(partition)
                .is_some_and(|log| log.contains(&(*behind - 1)))
        });
        own
    }

    fn note(&self, appended: &Barriers) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .extend(&appended.0);
    }
}

/// Appends a barrier to every partition.
pub(super) async fn append_barriers(shop: &Storefront) -> Result<Barriers, Problem> {
    let partitions = logs(shop).await?.into_keys().collect();
    append(shop, partitions).await
}

/// Waits a short time until order-create has passed the barriers that a gate's header keeps.
pub(super) async fn create_has_passed(shop: &Storefront, barriers: &str) -> Result<bool, Problem> {
    let kept = Barriers::read(barriers);
    if kept.is_none() {
        tracing::error!(
            barriers,
            "the gate holds barriers that cannot be read; new ones replace them"
        );
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = shop.store.progress(&shop.settings.topic).await?;
        if kept.as_ref().is_some_and(|kept| kept.are_passed(&progress)) {
            return Ok(true);
        }
        if kept.is_none() || Instant::now() >= deadline {
            return has_passed_own(shop, kept.as_ref(), &progress).await;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether order-create has passed, in each partition, the header's barrier or this process' own one. Appends one where it has passed
/// neither and Kafka keeps none.
async fn has_passed_own(
    shop: &Storefront,
    header: Option<&Barriers>,
    progress: &[Progress],
) -> Result<bool, Problem> {
    // A partition that is not among them is gone, and whatever it held.
    let logs = logs(shop).await?;
    let own = shop.barriers.kept(&logs);
    let passed = |partition: i32| {
        header.is_some_and(|header| header.is_passed(partition, progress))
            || own.0.contains_key(&partition) && own.is_passed(partition, progress)
    };
    let behind: Vec<i32> = logs
        .into_keys()
        .filter(|partition| !passed(*partition))
        .collect();
    let missing: Vec<i32> = behind
        .iter()
        .copied()
        .filter(|partition| !own.0.contains_key(partition))
        .collect();
    append(shop, missing).await?;
    Ok(behind.is_empty())
}

/// Appends a barrier to each of these partitions, all at the same time, and notes them as this process' own.
async fn append(shop: &Storefront, partitions: Vec<i32>) -> Result<Barriers, Problem> {
    let mut deliveries = JoinSet::new();
    for partition in partitions {
        let publisher = shop.publisher.clone();
        let barrier = Barrier::new(shop.clock.nonce());
        deliveries.spawn(async move {
            (
                partition,
                publisher.append_barrier(partition, &barrier).await,
            )
        });
    }
    let mut appended = BTreeMap::new();
    while let Some(delivery) = deliveries.join_next().await {
        match delivery {
            Ok((
                partition,
                Published::Acknowledged {
                    offset,
                    appended_ms,
                    ..
                },
            )) => {
                appended.insert(partition, BarrierPlace(offset + 1, appended_ms));
            }
            Ok((partition, Published::Refused(why) | Published::Unknown(why))) => {
                tracing::error!(
                    partition,
                    why,
                    "no barrier could be appended; the gate stays closed"
                );
                return Err(brokers_needed());
            }
            Err(error) => {
                tracing::error!(%error, "no barrier could be appended; the gate stays closed");
                return Err(brokers_needed());
            }
        }
    }
    let appended = Barriers(appended);
    shop.barriers.note(&appended);
    Ok(appended)
}

async fn logs(shop: &Storefront) -> Result<Logs, Problem> {
    shop.publisher.logs().await.map_err(|error| {
        tracing::error!(
            error,
            "the brokers do not say how far the orders' topic reaches; the gate stays closed"
        );
        brokers_needed()
    })
}

fn brokers_needed() -> Problem {
    Problem::unavailable(
        "the program's seats have to be loaded, and that needs the brokers; try again",
    )
}
