//! When order-create has handled everything that Kafka held as the filling of a gate began.
//!
//! The end of a partition is no place that progress is certain to reach: transaction markers and deleted records take offsets, and
//! order-create never receives them. So the storefront appends a [`Barrier`] to every partition, and the filling waits until
//! progress is behind it. The header of the gate keeps the offsets behind the barriers.
//!
//! A barrier can be lost as well: deleted before it was read, or gone with a topic that was created again. Where progress does not
//! reach the offsets of the header in time, this process appends a barrier of its own, one for each partition as long as Kafka keeps
//! it, and waits for that one instead. It stands behind everything that the header's one stood behind.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use shared::message::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::http::Problem;
use crate::kafka::{Logs, Offsets, Published};
use crate::storefront::Storefront;

/// How long one request waits for order-create.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it reads the progress.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The offset of the latest barrier that this process appended to each partition.
#[derive(Debug, Default)]
pub struct OwnBarriers(Mutex<Offsets>);

impl OwnBarriers {
    fn get(&self) -> Offsets {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, appended: &Offsets) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(appended);
    }
}

/// Appends a barrier to every partition. Returns the offsets behind them as the gate's header keeps them: `{"0":12,"1":7}`.
pub(super) async fn append_barriers(shop: &Storefront) -> Result<String, Problem> {
    let partitions = logs(shop).await?.into_keys().collect();
    let appended = append(shop, partitions).await?;
    shop.barriers.keep(&appended);
    let ends: Offsets = appended.into_iter().map(|(partition, offset)| (partition, offset + 1)).collect();
    Ok(serde_json::to_string(&ends).unwrap_or_else(|_| unreachable!("a map of numbers is JSON")))
}

/// Waits a short time until order-create has passed `ends`, as a gate's header keeps them.
pub(super) async fn create_has_passed(shop: &Storefront, ends: &str) -> Result<bool, Problem> {
    let ends: Option<Offsets> = serde_json::from_str(ends)
        .inspect_err(
            |error| tracing::error!(%error, ends, "the gate holds offsets that cannot be read; new barriers replace them"),
        )
        .ok();
    // Of a program that was just created nothing can be in Kafka.
    if ends.as_ref().is_some_and(Offsets::is_empty) {
        return Ok(true);
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let progress = progress(shop).await?;
        let at_deadline = Instant::now() >= deadline;
        let reached = ends.as_ref().is_some_and(|ends| ends.iter().all(|(partition, end)| next(&progress, *partition) >= *end));
        if reached || ends.is_none() || at_deadline {
            let logs = logs(shop).await?;
            let behind: Vec<i32> = logs
                .iter()
                .filter(|(partition, log)| !has_passed(ends.as_ref(), &progress, **partition, log.end))
                .map(|(partition, _)| *partition)
                .collect();
            return has_passed_own(shop, &behind, &progress, &logs).await;
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether the progress in a partition is behind the header's barrier, and of the log that Kafka has now: progress beyond the end of
/// the log is that of an earlier topic, and what stands in the present one may be unread.
fn has_passed(ends: Option<&Offsets>, progress: &Offsets, partition: i32, log_end: i64) -> bool {
    let next = next(progress, partition);
    let is_of_this_log = next <= log_end || log_end == 0;
    // A partition added since, which the header does not name, held nothing when the filling began.
    is_of_this_log && ends.is_some_and(|ends| ends.get(&partition).is_none_or(|end| next >= *end))
}

/// Whether the progress in each of these partitions is behind this process' own barrier. Appends one where Kafka keeps none.
async fn has_passed_own(shop: &Storefront, behind: &[i32], progress: &Offsets, logs: &Logs) -> Result<bool, Problem> {
    let own = shop.barriers.get();
    let kept = |partition: &i32| {
        let log = logs.get(partition)?;
        own.get(partition).copied().filter(|offset| log.contains(offset)).map(|offset| (offset, log.end))
    };
    let missing: Vec<i32> = behind.iter().copied().filter(|partition| kept(partition).is_none()).collect();
    if !missing.is_empty() {
        let appended = append(shop, missing).await?;
        shop.barriers.keep(&appended);
        return Ok(false);
    }
    let passed = |partition: &i32| {
        let next = next(progress, *partition);
        kept(partition).is_some_and(|(offset, log_end)| next > offset && next <= log_end)
    };
    Ok(behind.iter().all(passed))
}

/// Appends a barrier to each of these partitions, all at the same time. Returns their offsets.
async fn append(shop: &Storefront, partitions: Vec<i32>) -> Result<Offsets, Problem> {
    let mut deliveries = JoinSet::new();
    for partition in partitions {
        let (publisher, barrier) = (shop.publisher.clone(), Barrier::new(shop.clock.nonce()));
        deliveries.spawn(async move { (partition, publisher.append_barrier(partition, &barrier).await) });
    }
    let mut appended = Offsets::new();
    while let Some(delivery) = deliveries.join_next().await {
        match delivery {
            Ok((partition, Published::Acknowledged { offset, .. })) => drop(appended.insert(partition, offset)),
            Ok((partition, Published::Refused(why) | Published::Unknown(why))) => {
                tracing::error!(partition, why, "no barrier could be appended; the gate stays closed");
                return Err(brokers_needed());
            }
            Err(error) => {
                tracing::error!(%error, "no barrier could be appended; the gate stays closed");
                return Err(brokers_needed());
            }
        }
    }
    Ok(appended)
}

async fn logs(shop: &Storefront) -> Result<Logs, Problem> {
    shop.publisher.logs().await.map_err(|error| {
        tracing::error!(error, "the brokers do not say how far the orders' topic reaches; the gate stays closed");
        brokers_needed()
    })
}

fn brokers_needed() -> Problem {
    Problem::unavailable("the program's seats have to be loaded, and that needs the brokers; try again")
}

async fn progress(shop: &Storefront) -> Result<Offsets, Problem> {
    let progress = shop.store.progress(&shop.settings.topic).await?;
    Ok(progress.into_iter().map(|p| (p.partition, p.next_offset)).collect())
}

/// The first offset that order-create has not handled. 0 where nothing was read yet.
fn next(progress: &Offsets, partition: i32) -> i64 {
    progress.get(&partition).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(all: &[(i32, i64)]) -> Offsets {
        all.iter().copied().collect()
    }

    #[test]
    fn progress_must_be_behind_the_barrier() {
        let ends = offsets(&[(0, 8)]);
        for (next, passed) in [(0, false), (7, false), (8, true), (20, true)] {
            assert_eq!(has_passed(Some(&ends), &offsets(&[(0, next)]), 0, 20), passed, "{next}");
        }
        assert!(!has_passed(Some(&ends), &offsets(&[]), 0, 20), "nothing was read");
    }

    #[test]
    fn progress_beyond_the_log_passes_nothing() {
        let ends = offsets(&[(0, 8)]);
        assert!(!has_passed(Some(&ends), &offsets(&[(0, 21)]), 0, 20));
        assert!(has_passed(Some(&ends), &offsets(&[(0, 21)]), 0, 0), "the topic that was created again is empty");
    }

    #[test]
    fn a_partition_added_since_needs_no_barrier() {
        assert!(has_passed(Some(&offsets(&[(0, 8)])), &offsets(&[]), 1, 3));
        assert!(!has_passed(None, &offsets(&[(0, 8)]), 0, 8), "offsets that cannot be read pass nothing");
    }
}
