//! `POST /_usher/offsets`: moves of a mapping's consumer group that an operator requests.

use serde::Serialize;

use super::ControlState;
use crate::kafka::PositionChange;

/// The response: what became of the move.
#[derive(Debug, Serialize)]
pub(super) struct MoveResult {
    became: String,
}

/// Moves the group.
///
/// # Errors
/// Why nothing changed.
pub(super) async fn change(
    state: &ControlState,
    who: &str,
    change: &PositionChange,
) -> Result<MoveResult, String> {
    let watch = state
        .kafka
        .iter()
        .find(|watch| watch.id() == change.mapping);
    let watch =
        watch.ok_or_else(|| format!("this host runs no Kafka mapping {}", change.mapping))?;
    let became = watch.change_position(change).await;
    let mapping = &change.mapping;
    let topic = &change.topic;
    let partition = change.partition;
    let action = change.action;
    let offset = change.offset;
    match became {
        Ok(became) => {
            tracing::warn!(
                who,
                mapping,
                topic,
                partition,
                offset,
                ?action,
                "an operator moved the group; {became}"
            );
            Ok(MoveResult { became })
        }
        Err(why) => {
            tracing::warn!(
                who,
                mapping,
                topic,
                partition,
                offset,
                ?action,
                "an operator's move of the group is refused: {why}"
            );
            Err(why)
        }
    }
}
