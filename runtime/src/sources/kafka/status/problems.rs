//! Texts of problems, with their remedies.

use event_sources::health::SourceWatch;
use event_sources::stream::Offset;

/// The brokers are unavailable. librdkafka's error names one of them, or only their number.
pub(super) fn away_text(servers: &str, whole: &SourceWatch) -> String {
    let error = whole
        .last_error()
        .map(|error| format!(" ({})", error.error))
        .unwrap_or_default();
    format!(
        "Kafka is away{error}; records wait there. Start it at {servers}, or correct its address \
         or login in usher.toml"
    )
}

/// Nothing arrives of a partition, and the brokers report no error.
pub(super) fn unread_text(place: &str, position: Offset) -> String {
    format!(
        "nothing arrives of {place} from offset {position} on, although its log has more, and \
         the brokers report no error. The batch there may be damaged: restore the log, or pass \
         over the batch: usher offsets seek"
    )
}

/// An open transaction blocks the records after it.
pub(super) fn held_back_text(place: &str, stable: Offset, records: i64) -> String {
    format!(
        "an open transaction begins at offset {stable} of {place} and holds back {records} \
         offsets. Its producer must commit or abort it; the broker aborts it after the producer's \
         transaction.timeout.ms. kafka-transactions.sh find-hanging lists one without a producer, \
         and kafka-transactions.sh abort ends it"
    )
}
