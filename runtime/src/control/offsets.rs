//! `POST /_usher/offsets`: moves of a mapping's consumer group that an operator requests.

use super::ControlState;
use crate::sources::{PositionChange, PositionError};

/// Moves the group. Returns what became of the record or the partition.
///
/// # Errors
/// Why nothing changed.
pub(super) async fn change(
    state: &ControlState,
    who: &str,
    change: &PositionChange,
) -> Result<String, PositionError> {
    let PositionChange {
        mapping,
        topic,
        partition,
        action,
        offset,
    } = change;
    let became = state.sources.change_position(change.clone()).await;
    let text = match &became {
        // no group was named
        Err(PositionError::NoPositions(_)) => return became,
        Ok(became) => format!("an operator moved the group; {became}"),
        Err(why) => format!("an operator's move of the group is refused: {why}"),
    };
    tracing::warn!(who, mapping, topic, partition, offset, ?action, "{text}");
    became
}
