//! The progress of the partitions: locked before a part is stored, and moved over it afterwards.

use std::collections::HashMap;

use sqlx::{FromRow, Row};

use super::StoredBatch;
use super::plan::CreatePlan;
use crate::store::columns::column;
use crate::store::pool::BoundedConnection;
use crate::store::progress::{ProgressMark, advance};
use crate::store::{StoreError, gaps};

/// The progress of partitions, by topic and partition.
pub(super) type Marks = HashMap<(String, i32), ProgressMark>;

/// Statement 1: reads the progress of the part's partitions and locks it until the commit, so that
/// of two transactions for one partition the second waits here, before it has locked any order.
pub(super) async fn lock_progress(
    tx: &mut BoundedConnection,
    plan: &CreatePlan<'_>,
) -> Result<Marks, StoreError> {
    let query = sqlx::query(include_str!("../sql/progress_lock.sql"))
        .bind(column(&plan.seen, |seen| seen.topic))
        .bind(column(&plan.seen, |seen| seen.partition));
    let mut marks = Marks::new();
    for row in query.fetch_all(&mut *tx).await? {
        let of = (row.try_get("topic")?, row.try_get("partition")?);
        marks.insert(of, ProgressMark::from_row(&row)?);
    }
    Ok(marks)
}

/// Statement 6: advances each partition over the whole part. All records before the part are
/// committed, so the progress covers a contiguous prefix.
pub(super) async fn advance_progress(
    tx: &mut BoundedConnection,
    plan: &CreatePlan<'_>,
    marks: &Marks,
    committed: &mut StoredBatch<'_>,
) -> Result<(), StoreError> {
    let mut advanced = Vec::with_capacity(plan.seen.len());
    let mut redelivered = Vec::new();
    for seen in &plan.seen {
        let of = (seen.topic.to_owned(), seen.partition);
        let advance = advance(marks.get(&of).copied(), seen);
        advanced.push(advance.mark);
        committed.gaps.extend(advance.gap);
        redelivered.extend(advance.redelivered);
        if advance.recreated {
            committed.recreated.push(of);
        }
    }
    sqlx::query(include_str!("../sql/progress_advance.sql"))
        .bind(column(&plan.seen, |seen| seen.topic))
        .bind(column(&plan.seen, |seen| seen.partition))
        .bind(column(&advanced, |mark| mark.incarnation))
        .bind(column(&advanced, |mark| mark.next_offset))
        .bind(column(&advanced, |mark| mark.appended_ms))
        .execute(&mut *tx)
        .await?;
    gaps::add(tx, &committed.gaps).await?;
    gaps::replayed(tx, &redelivered).await
}
