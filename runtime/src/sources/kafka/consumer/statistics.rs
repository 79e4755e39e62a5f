//! The parts of librdkafka's statistics that a mapping uses. The document has some hundred fields
//! for each broker and partition and arrives every second, so the others are skipped unread. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use event_sources::stream::Offset;
use serde::Deserialize;

/// Statistics of a consumer.
#[derive(Debug, Deserialize)]
pub(super) struct ConsumerStatistics<'s> {
    #[serde(borrow)]
    brokers: BTreeMap<Cow<'s, str>, Broker<'s>>,
    /// Topics by name.
    #[serde(borrow)]
    pub(super) topics: BTreeMap<Cow<'s, str>, Topic<'s>>,
}

#[derive(Debug, Deserialize)]
struct Broker<'s> {
    nodeid: i32,
    #[serde(borrow)]
    state: Cow<'s, str>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Topic<'s> {
    #[serde(borrow)]
    pub(super) partitions: BTreeMap<Cow<'s, str>, PartitionStatistics>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PartitionStatistics {
    /// Its number; negative for records without a partition.
    pub(super) partition: i32,
    /// Next offset to fetch; negative if unknown, as are the others.
    pub(super) next_offset: Offset,
    /// End of the log.
    pub(super) hi_offset: Offset,
    /// Last stable offset.
    pub(super) ls_offset: Offset,
}

impl ConsumerStatistics<'_> {
    /// Whether a broker is connected. The bootstrap entry and the coordinator are logical brokers
    /// without an id.
    pub(super) fn is_connected(&self) -> bool {
        let mut brokers = self.brokers.values();
        brokers.any(|broker| broker.nodeid >= 0 && broker.state == "UP")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shortened from librdkafka's STATISTICS.md.
    const DOCUMENT: &str = r#"{"name":"rdkafka#consumer-1","ts":5016483227792,"brokers":{
        "localhost:9092/2":{"name":"localhost:9092/2","nodeid":2,"source":"learned","state":"UP",
            "rtt":{"min":1580,"hdrsize":11376},"toppars":{"test-0":{"topic":"test","partition":0}}},
        "GroupCoordinator":{"name":"GroupCoordinator","nodeid":-1,"state":"UP"}},
        "topics":{"test":{"topic":"test","age":9060,"partitions":{
            "0":{"partition":0,"fetch_state":"active","next_offset":12,"hi_offset":15,"ls_offset":14},
            "-1":{"partition":-1,"next_offset":-1001,"hi_offset":-1001,"ls_offset":-1001}}}},
        "cgrp":{"state":"up","stateage":7}}"#;

    #[test]
    fn offsets_and_connections_are_read() {
        let read: ConsumerStatistics<'_> = strict_json::from_str(DOCUMENT).unwrap();
        assert!(read.is_connected());
        let partitions: Vec<_> = read.topics["test"]
            .partitions
            .values()
            .map(|one| (one.partition, one.next_offset, one.hi_offset, one.ls_offset))
            .collect();
        assert_eq!(partitions, [(-1, -1001, -1001, -1001), (0, 12, 15, 14)]);
    }

    #[test]
    fn a_coordinator_is_no_connected_broker() {
        let away = DOCUMENT.replace(r#""source":"learned","state":"UP""#, r#""state":"DOWN""#);
        let read: ConsumerStatistics<'_> = strict_json::from_str(&away).unwrap();
        assert!(!read.is_connected());
    }
}
