//! One part of a batch, in one READ COMMITTED transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::Row;

use super::columns::{add, keep};
use super::plan::{News, Plan, Standing, Step};
use super::{CollectedBatch, Store, StoreError};
use crate::api_stats::{Caps, Labels, Minute, RollUp, counted_at_ms};
use crate::store::gaps::{self, OffsetRange};
use crate::store::park::park;
use crate::store::pool::BoundedConnection;
use crate::store::progress::ProgressMark;

type Where = (String, i32);

impl Store {
    pub(super) async fn collect(
        &self,
        plan: &Plan<'_>,
        caps: Caps,
    ) -> Result<CollectedBatch, StoreError> {
        let mut tx = self.pool.begin().await?;
        let standing = lock(&mut tx, plan).await?;
        let mut steps = plan.steps(&standing);
        let mut recreated = Vec::new();
        for (seen, step) in plan.seen.iter().zip(&mut steps) {
            if step.source.is_none() {
                step.source =
                    Some(source(&mut tx, seen.topic, seen.partition, step.mark.incarnation).await?);
            }
            if step.anew {
                recreated.push((seen.topic.to_owned(), seen.partition));
            }
        }
        let gaps: Vec<OffsetRange> = steps.iter().filter_map(|step| step.gap.clone()).collect();
        let redelivered: Vec<OffsetRange> = steps
            .iter()
            .filter_map(|step| step.redelivered.clone())
            .collect();
        let news = plan.news(&steps, gaps::missing(&mut tx, &redelivered).await?);
        if !news.calls.is_empty() {
            let sums = sums(&mut tx, &news, caps).await?;
            add(&sums, &mut tx).await?;
            keep(&news.calls, &mut tx).await?;
        }
        park(&mut tx, plan.arrivals, &news.unreadable).await?;
        move_on(&mut tx, plan, &steps).await?;
        gaps::add(&mut tx, &gaps).await?;
        gaps::replayed(&mut tx, &redelivered).await?;
        tx.commit().await?;
        Ok(CollectedBatch {
            added: news.calls.len() as u64,
            repeated: news.repeated,
            parked: news.unreadable,
            recreated,
            gaps,
            unfinished: None,
        })
    }
}

/// Statement 1: where each partition stands, locked until the commit. A partition that is read for the first time gets a row to lock: of
/// two batches that begin at the same time one waits for the other here, too.
async fn lock(
    tx: &mut BoundedConnection,
    plan: &Plan<'_>,
) -> Result<HashMap<Where, Standing>, StoreError> {
    let topics: Vec<&str> = plan.seen.iter().map(|seen| seen.topic).collect();
    let partitions: Vec<i32> = plan.seen.iter().map(|seen| seen.partition).collect();
    let mut standing = locked(tx, &topics, &partitions).await?;
    if standing.len() < plan.seen.len() {
        sqlx::query(include_str!("../sql/calls_begin.sql"))
            .bind(&topics)
            .bind(&partitions)
            .execute(&mut *tx)
            .await?;
        standing = locked(tx, &topics, &partitions).await?;
    }
    Ok(standing)
}

async fn locked(
    tx: &mut BoundedConnection,
    topics: &[&str],
    partitions: &[i32],
) -> Result<HashMap<Where, Standing>, StoreError> {
    let query = sqlx::query(include_str!("../sql/calls_lock.sql"))
        .bind(topics)
        .bind(partitions);
    let mut standing = HashMap::new();
    for row in query.fetch_all(tx).await? {
        let mark = ProgressMark {
            incarnation: row.try_get("incarnation")?,
            next_offset: row.try_get("next_offset")?,
            appended_ms: row.try_get("appended_ms")?,
        };
        let stands = Standing {
            mark: (mark.incarnation > 0).then_some(mark),
            source: row.try_get("source")?,
        };
        standing.insert((row.try_get("topic")?, row.try_get("partition")?), stands);
    }
    Ok(standing)
}

async fn source(
    tx: &mut BoundedConnection,
    topic: &str,
    partition: i32,
    incarnation: i32,
) -> Result<i32, StoreError> {
    let query = sqlx::query_scalar(include_str!("../sql/calls_source.sql"))
        .bind(topic)
        .bind(partition)
        .bind(incarnation);
    Ok(query.fetch_one(tx).await?)
}

/// Statement 2, and the sums of what is new, by source: each minute keeps to its caps together with what it has already.
async fn sums(
    tx: &mut BoundedConnection,
    news: &News<'_>,
    caps: Caps,
) -> Result<BTreeMap<i32, RollUp>, StoreError> {
    let at = |arrival: &crate::store::Arrival<'_, crate::message::ApiCall>, call| {
        counted_at_ms(call, arrival.appended_ms)
    };
    let minutes: BTreeSet<(i32, Minute)> = news
        .calls
        .iter()
        .map(|(source, arrival, call)| (*source, Minute::of_ms(at(arrival, call))))
        .collect();
    let rows = sqlx::query(include_str!("../sql/calls_labels.sql"))
        .bind(
            minutes
                .iter()
                .map(|(source, _)| *source)
                .collect::<Vec<_>>(),
        )
        .bind(
            minutes
                .iter()
                .map(|(_, minute)| minute.start_ms())
                .collect::<Vec<_>>(),
        )
        .fetch_all(tx)
        .await?;
    let mut sums: BTreeMap<i32, RollUp> = BTreeMap::new();
    for row in rows {
        let labels = |name| -> Result<Labels, StoreError> {
            Ok(Labels::new(row.try_get::<Vec<String>, _>(name)?))
        };
        let minute = Minute::of_ms(row.try_get("minute_ms")?);
        let roll_up = sums
            .entry(row.try_get("source")?)
            .or_insert_with(|| RollUp::new(caps));
        roll_up.know(minute, labels("routes")?, labels("clients")?);
    }
    for (source, arrival, call) in &news.calls {
        sums.entry(*source)
            .or_insert_with(|| RollUp::new(caps))
            .add(call, at(arrival, call));
    }
    Ok(sums)
}

/// Statement 6: the progress of each partition over the whole part.
async fn move_on(
    tx: &mut BoundedConnection,
    plan: &Plan<'_>,
    steps: &[Step],
) -> Result<(), StoreError> {
    sqlx::query(include_str!("../sql/calls_advance.sql"))
        .bind(plan.seen.iter().map(|seen| seen.topic).collect::<Vec<_>>())
        .bind(
            plan.seen
                .iter()
                .map(|seen| seen.partition)
                .collect::<Vec<_>>(),
        )
        .bind(
            steps
                .iter()
                .map(|step| step.mark.incarnation)
                .collect::<Vec<_>>(),
        )
        .bind(steps.iter().map(|step| step.source).collect::<Vec<_>>())
        .bind(
            steps
                .iter()
                .map(|step| step.mark.next_offset)
                .collect::<Vec<_>>(),
        )
        .bind(
            steps
                .iter()
                .map(|step| step.mark.appended_ms)
                .collect::<Vec<_>>(),
        )
        .execute(tx)
        .await?;
    Ok(())
}
