//! One part of a batch, in one READ COMMITTED transaction.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::{FromRow, Row};

use super::columns::{add, keep};
use super::files::{CallFiles, NewFiles};
use super::plan::{CollectPlan, CollectorPosition, NewRecords, PartitionStep};
use super::{CollectedBatch, Store, StoreError};
use crate::api_calls::{CallOrigin, Caps, Labels, Minute, RollUp, counted_at_ms};
use crate::store::columns::column;
use crate::store::gaps;
use crate::store::park::park;
use crate::store::pool::BoundedConnection;
use crate::store::progress::{PartitionRange, ProgressMark};

type PartitionKey = (String, i32);

impl Store {
    pub(super) async fn collect(
        &self,
        plan: &CollectPlan<'_>,
        caps: Caps,
        files: Option<&dyn CallFiles>,
    ) -> Result<CollectedBatch, StoreError> {
        let mut tx = self.pool.begin().await?;
        let positions = lock(&mut tx, plan).await?;
        let mut steps = plan.steps(&positions);
        let mut recreated = Vec::new();
        let mut gaps = Vec::new();
        let mut redelivered = Vec::new();
        for (seen, step) in plan.seen.iter().zip(&mut steps) {
            if step.source.is_none() {
                step.source = Some(
                    source(
                        &mut tx,
                        seen.topic,
                        seen.partition,
                        step.advance.mark.incarnation,
                    )
                    .await?,
                );
            }
            let advance = &mut step.advance;
            if advance.recreated {
                recreated.push((seen.topic.to_owned(), seen.partition));
            }
            gaps.extend(advance.gap.take());
            redelivered.extend(advance.redelivered.take());
        }
        let new = plan.new_records(&steps, gaps::missing(&mut tx, &redelivered).await?);
        if !new.calls.is_empty() {
            let sums = sums(&mut tx, &new, caps).await?;
            add(&sums, &mut tx).await?;
            keep(&new.calls, &mut tx).await?;
        }
        park(&mut tx, plan.arrivals, &new.unreadable).await?;
        advance_progress(&mut tx, plan, &steps).await?;
        gaps::add(&mut tx, &gaps).await?;
        gaps::replayed(&mut tx, &redelivered).await?;
        let mut written = 0;
        if let Some(files) = files {
            let new_files = NewFiles::of(&new, &origins(plan, &steps), files)?;
            written = new_files.len();
            new_files.add(&mut tx).await?;
            new_files.put(files).await?;
        }
        tx.commit().await?;
        Ok(CollectedBatch {
            added: new.calls.len() as u64,
            repeated: new.repeated,
            parked: new.unreadable,
            recreated,
            gaps,
            files: written,
            unfinished: None,
        })
    }
}

/// Statement 1: the progress in each partition, locked until the commit. A partition that is read
/// for the first time gets a row to lock, so that one of two concurrent batches waits for the
/// other.
async fn lock(
    tx: &mut BoundedConnection,
    plan: &CollectPlan<'_>,
) -> Result<HashMap<PartitionKey, CollectorPosition>, StoreError> {
    let topics = column(&plan.seen, |seen| seen.topic);
    let partitions = column(&plan.seen, |seen| seen.partition);
    let mut positions = locked(tx, &topics, &partitions).await?;
    if positions.len() < plan.seen.len() {
        sqlx::query(include_str!("sql/calls_begin.sql"))
            .bind(&topics)
            .bind(&partitions)
            .execute(&mut *tx)
            .await?;
        positions = locked(tx, &topics, &partitions).await?;
    }
    Ok(positions)
}

async fn locked(
    tx: &mut BoundedConnection,
    topics: &[&str],
    partitions: &[i32],
) -> Result<HashMap<PartitionKey, CollectorPosition>, StoreError> {
    let query = sqlx::query(include_str!("sql/calls_lock.sql"))
        .bind(topics)
        .bind(partitions);
    let mut positions = HashMap::new();
    for row in query.fetch_all(tx).await? {
        let mark = ProgressMark::from_row(&row)?;
        let position = CollectorPosition {
            mark: (mark.incarnation > 0).then_some(mark),
            source: row.try_get("source")?,
        };
        positions.insert((row.try_get("topic")?, row.try_get("partition")?), position);
    }
    Ok(positions)
}

async fn source(
    tx: &mut BoundedConnection,
    topic: &str,
    partition: i32,
    incarnation: i32,
) -> Result<i32, StoreError> {
    let query = sqlx::query_scalar(include_str!("sql/calls_source.sql"))
        .bind(topic)
        .bind(partition)
        .bind(incarnation);
    Ok(query.fetch_one(tx).await?)
}

/// What the sources of the partitions stand for.
fn origins(plan: &CollectPlan<'_>, steps: &[PartitionStep]) -> HashMap<i32, CallOrigin> {
    let origin = |(seen, step): (&PartitionRange<'_>, &PartitionStep)| {
        let origin = CallOrigin {
            topic: seen.topic.to_owned(),
            partition: seen.partition,
            incarnation: step.advance.mark.incarnation,
        };
        Some((step.source?, origin))
    };
    plan.seen.iter().zip(steps).filter_map(origin).collect()
}

/// Statement 2, and the sums of the new calls by source. The caps of a minute include its stored
/// names.
async fn sums(
    tx: &mut BoundedConnection,
    new: &NewRecords<'_>,
    caps: Caps,
) -> Result<BTreeMap<i32, RollUp>, StoreError> {
    let at = |arrival: &crate::store::Arrival<'_, crate::api_calls::ApiCall>, call| {
        counted_at_ms(call, arrival.appended_ms)
    };
    let minutes: BTreeSet<(i32, Minute)> = new
        .calls
        .iter()
        .map(|(source, arrival, call)| (*source, Minute::of_ms(at(arrival, call))))
        .collect();
    let rows = sqlx::query(include_str!("sql/calls_labels.sql"))
        .bind(column(&minutes, |(source, _)| *source))
        .bind(column(&minutes, |(_, minute)| minute.start_ms()))
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
        roll_up.add_known(minute, labels("routes")?, labels("clients")?);
    }
    for (source, arrival, call) in &new.calls {
        sums.entry(*source)
            .or_insert_with(|| RollUp::new(caps))
            .add(call, at(arrival, call));
    }
    Ok(sums)
}

/// Statement 6: stores the progress in each partition.
async fn advance_progress(
    tx: &mut BoundedConnection,
    plan: &CollectPlan<'_>,
    steps: &[PartitionStep],
) -> Result<(), StoreError> {
    sqlx::query(include_str!("sql/calls_advance.sql"))
        .bind(column(&plan.seen, |seen| seen.topic))
        .bind(column(&plan.seen, |seen| seen.partition))
        .bind(column(steps, |step| step.advance.mark.incarnation))
        .bind(column(steps, |step| step.source))
        .bind(column(steps, |step| step.advance.mark.next_offset))
        .bind(column(steps, |step| step.advance.mark.appended_ms))
        .execute(tx)
        .await?;
    Ok(())
}
