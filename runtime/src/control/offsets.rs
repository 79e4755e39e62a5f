//! `POST /_usher/offsets`: moves of a mapping's consumer group that an operator requests.

use super::ControlState;
use crate::sources::kafka::PositionChange;

/// Moves the group. Returns what became of the record or the partition.
///
/// # Errors
/// Why nothing changed.
pub(super) async fn change(
    state: &ControlState,
    who: &str,
    change: &PositionChange,
) -> Result<String, String> {
    let PositionChange {
        mapping,
        topic,
        partition,
        action,
        offset,
    } = change;
    let watch = state.kafka.iter().find(|watch| watch.id() == mapping);
    let watch = watch.ok_or_else(|| format!("this host runs no Kafka mapping {mapping}"))?;
    let became = watch.change_position(change).await;
    let became = became.map_err(|why| why.to_string());
    let text = match &became {
        Ok(became) => format!("an operator moved the group; {became}"),
        Err(why) => format!("an operator's move of the group is refused: {why}"),
    };
    tracing::warn!(who, mapping, topic, partition, offset, ?action, "{text}");
    became
}
