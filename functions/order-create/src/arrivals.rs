//! Records as the store takes them. Each is read on its own: one that cannot be read carries its reason and its bytes.

use shared::ingest::kafka::{Batch, Record};
use shared::message::OrderRequested;
use shared::store::Arrival;
use shared::worker::Reason;

/// All records of a batch, in its order.
pub(crate) fn arrivals(batch: &Batch) -> Vec<Arrival<'_>> {
    batch.records().map(arrival).collect()
}

fn arrival(record: Record<'_>) -> Arrival<'_> {
    Arrival {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        appended_ms: record.timestamp_ms,
        key: record.key.to_park(),
        value: record.value.to_park(),
        order: record.parse_json::<OrderRequested>().map_err(Reason::new),
    }
}
