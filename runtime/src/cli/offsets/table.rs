//! Positions as a table.

use std::fmt::Write as _;

use super::super::shown;
use crate::sources::kafka::GroupPosition;
use crate::terminal::line;

/// A line of the table.
pub(super) struct PositionRow {
    pub(super) standing: GroupPosition,
    pub(super) lag: Option<i64>,
    /// The new offset, if it changes.
    pub(super) to: Option<i64>,
}

impl PositionRow {
    /// A partition that moves. Its lag counts offsets.
    pub(super) fn to(standing: GroupPosition, to: i64) -> Self {
        Self {
            lag: standing.lag(),
            standing,
            to: Some(to),
        }
    }
}

/// One line for each partition, with the new offset if it moves.
pub(super) fn table(rows: &[PositionRow]) -> String {
    let moves = rows.iter().any(|row| row.to.is_some());
    let head = if moves { "new" } else { "" };
    let mut out = format!(
        "  {:40} {:>12} {:>12} {:>12} {:>12} {head:>12}\n",
        "partition", "committed", "start", "end", "lag"
    );
    for PositionRow { standing, lag, to } in rows {
        let to = shown(*to, "");
        let committed = shown(standing.committed, "-");
        let lag = shown(*lag, "-");
        let _ = writeln!(
            out,
            "  {:40} {committed:>12} {:>12} {:>12} {lag:>12} {to:>12}",
            line(&standing.name()),
            standing.start,
            standing.end
        );
    }
    out
}
