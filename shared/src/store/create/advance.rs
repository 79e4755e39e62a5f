//! Moves the progress of the partitions over a stored part.

use std::collections::HashMap;

use sqlx::Row;

use super::StoredBatch;
use super::plan::CreatePlan;
use crate::store::pool::BoundedConnection;
use crate::store::progress::{ProgressMark, advance};
use crate::store::{StoreError, gaps};

/// Statement 5: advances each partition over the whole part. All records before the part are
/// committed, so the progress covers a contiguous prefix.
pub(super) async fn advance_progress(
    tx: &mut BoundedConnection,
    plan: &CreatePlan<'_>,
    committed: &mut StoredBatch<'_>,
) -> Result<(), StoreError> {
    let topics: Vec<&str> = plan.seen.iter().map(|seen| seen.topic).collect();
    let partitions: Vec<i32> = plan.seen.iter().map(|seen| seen.partition).collect();
    let query = sqlx::query(include_str!("../sql/progress_lock.sql"))
        .bind(&topics)
        .bind(&partitions);
    let mut marks = HashMap::new();
    for row in query.fetch_all(&mut *tx).await? {
        let mark = ProgressMark {
            incarnation: row.try_get("incarnation")?,
            next_offset: row.try_get("next_offset")?,
            appended_ms: row.try_get("appended_ms")?,
        };
        marks.insert(
            (
                row.try_get::<String, _>("topic")?,
                row.try_get::<i32, _>("partition")?,
            ),
            mark,
        );
    }
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
        .bind(&topics)
        .bind(&partitions)
        .bind(
            advanced
                .iter()
                .map(|mark| mark.incarnation)
                .collect::<Vec<_>>(),
        )
        .bind(
            advanced
                .iter()
                .map(|mark| mark.next_offset)
                .collect::<Vec<_>>(),
        )
        .bind(
            advanced
                .iter()
                .map(|mark| mark.appended_ms)
                .collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await?;
    gaps::add(tx, &committed.gaps).await?;
    gaps::replayed(tx, &redelivered).await
}
