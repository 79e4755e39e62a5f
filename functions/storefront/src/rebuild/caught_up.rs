//! Whether order-create has handled everything that Kafka held when the filling of a gate began.
//!
//! Progress need not reach the end of a partition: transaction markers and deleted records take
//! offsets that order-create never receives. So the storefront appends a [`Barrier`] to every
//! partition, and the filling waits until progress is behind it. The gate's header holds the
//! positions of the barriers.
//!
//! A barrier can be lost: Kafka deletes it unread, or the topic is created again. If progress does
//! not pass the header's barriers in time, this process appends a barrier of its own to each such
//! partition and waits for that one. It stands behind every record that the header's one stood
//! behind.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::message::{Barrier, Nonce};
use shared::refill::{BarrierPlace, Barriers};
use shared::store::Progress;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::http::Problem;
use crate::kafka::{LogRanges, Published};

/// How long one request waits for order-create.
const MAX_WAIT: Duration = Duration::from_secs(1);
/// Pause between two reads of the progress.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Appends a barrier to every partition.
pub(super) async fn append_barriers(app: &App) -> Result<Barriers, Problem> {
    let partitions = logs(app).await?.into_keys().collect();
    append(app, partitions).await
}

/// Waits up to [`MAX_WAIT`] until order-create has passed the barriers of a gate's header.
pub(super) async fn create_has_passed(app: &App, barriers: &str) -> Result<bool, Problem> {
    let kept = Barriers::read(barriers);
    if kept.is_none() {
        tracing::error!(
            barriers,
            "cannot read the barriers in the gate's header; new ones replace them"
        );
    }
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        let progress = app.store.progress(&app.settings.topic).await?;
        if kept.as_ref().is_some_and(|kept| kept.are_passed(&progress)) {
            return Ok(true);
        }
        if kept.is_none() || Instant::now() >= deadline {
            return has_passed_own(app, kept.as_ref(), &progress).await;
        }
        sleep(POLL_INTERVAL).await;
    }
}

/// Whether order-create has passed, in each partition, the header's barrier or this process' own
/// one behind it. Appends one where it has passed neither and Kafka holds no such one.
async fn has_passed_own(
    app: &App,
    header: Option<&Barriers>,
    progress: &[Progress],
) -> Result<bool, Problem> {
    // A partition that is not listed no longer exists, nor do its records.
    let logs = logs(app).await?;
    let own = app.barriers.kept(header, &logs);
    let passed = |partition: i32| {
        header.is_some_and(|header| header.is_passed(partition, progress))
            || own.0.contains_key(&partition) && own.is_passed(partition, progress)
    };
    let mut behind: Vec<i32> = logs.into_keys().filter(|at| !passed(*at)).collect();
    let has_passed = behind.is_empty();
    // Those that have a barrier of this process need no other.
    behind.retain(|partition| !own.0.contains_key(partition));
    append(app, behind).await?;
    Ok(has_passed)
}

/// Appends a barrier to each of these partitions concurrently, and records them as this process'
/// own.
async fn append(app: &App, partitions: Vec<i32>) -> Result<Barriers, Problem> {
    let mut deliveries = JoinSet::new();
    for partition in partitions {
        let publisher = app.publisher.clone();
        let barrier = Barrier::new(Nonce::new(rand::random()));
        deliveries.spawn(async move {
            let published = publisher.append_barrier(partition, &barrier).await;
            (partition, published)
        });
    }
    let mut appended = BTreeMap::new();
    while let Some(delivery) = deliveries.join_next().await {
        let (partition, published) = delivery.map_err(|error| {
            tracing::error!(%error, "cannot append a barrier; the gate stays closed");
            brokers_needed()
        })?;
        match published {
            Published::Acknowledged {
                offset,
                appended_ms,
                ..
            } => {
                appended.insert(partition, BarrierPlace(offset + 1, appended_ms));
            }
            Published::Refused(why) | Published::Unknown(why) => {
                tracing::error!(
                    partition,
                    why,
                    "cannot append a barrier; the gate stays closed"
                );
                return Err(brokers_needed());
            }
        }
    }
    let appended = Barriers(appended);
    app.barriers.add(&appended);
    Ok(appended)
}

async fn logs(app: &App) -> Result<LogRanges, Problem> {
    app.publisher.logs().await.map_err(|error| {
        tracing::error!(
            %error,
            "cannot read the offsets of the orders' topic; the gate stays closed"
        );
        brokers_needed()
    })
}

fn brokers_needed() -> Problem {
    Problem::unavailable(
        "the program's seats must be loaded, which needs the Kafka brokers; try again",
    )
}
