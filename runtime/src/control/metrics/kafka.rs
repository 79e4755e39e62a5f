//! Metrics of Kafka mappings and their partitions.

use super::seconds;
use crate::kafka::{MappingStatus, PartitionStatus};
use crate::observation::{Exposition, MetricKind};

/// Reads a value of a partition; `None`: there is no sample.
type OfPartition = fn(&PartitionStatus) -> Option<f64>;

pub(super) fn kafka(out: &mut Exposition, mappings: &[MappingStatus]) {
    type Read = fn(&MappingStatus) -> u64;
    let families: [(&str, MetricKind, &str, Read); 10] = [
        (
            "records_deleted_unread_total",
            MetricKind::Counter,
            "Records that were deleted from their topic before they were read.",
            |m| m.records_deleted_unread,
        ),
        (
            "logs_replaced_total",
            MetricKind::Counter,
            "Partitions read from their start because their log is another one than before.",
            |m| m.logs_replaced,
        ),
        (
            "records_filtered_total",
            MetricKind::Counter,
            "Records dropped by the filters.",
            |m| m.records_filtered,
        ),
        (
            "records_done_total",
            MetricKind::Counter,
            "Records that are over with: done, or discarded.",
            |m| m.records_done,
        ),
        (
            "batches_total",
            MetricKind::Counter,
            "Batches handed to the function.",
            |m| m.batches,
        ),
        (
            "failed_batches_total",
            MetricKind::Counter,
            "Batches that failed, whole or in part.",
            |m| m.failed_batches,
        ),
        (
            "records_discarded_total",
            MetricKind::Counter,
            "Records given up by a limit of the mapping.",
            |m| m.records_discarded,
        ),
        (
            "failure_records_reduced_total",
            MetricKind::Counter,
            "Failure records that the destination took only without their payload or details.",
            |m| m.failure_records_reduced,
        ),
        (
            "records_lost_total",
            MetricKind::Counter,
            "Records larger than an event, or than their destination takes in any form.",
            |m| m.records_lost,
        ),
        (
            "up",
            MetricKind::Gauge,
            "0 while the mapping is failing, stuck, missing or away, else 1.",
            |m| (!m.health.state.is_unwell()).into(),
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_kafka_{name}");
        out.family(&name, kind, help);
        for mapping in mappings {
            out.sample(&name, &[("mapping", &mapping.mapping)], read(mapping));
        }
    }
    let families: [(&str, &str, OfPartition); 2] = [
        (
            "usher_kafka_lag",
            "Offsets between what is done and the last stable offset, of partitions that this \
             host owns.",
            |p| p.lag.map(|lag| lag as f64),
        ),
        (
            "usher_kafka_lag_seconds",
            "Age of the oldest record that waits, of partitions that this host owns; 0: none \
             waits.",
            |p| Some(seconds(p.health.oldest_waiting_ms.unwrap_or_default())),
        ),
    ];
    for (name, help, read) in families {
        out.family(name, MetricKind::Gauge, help);
        for mapping in mappings {
            for partition in &mapping.partitions {
                let number = partition.partition.to_string();
                let labels = [
                    ("mapping", mapping.mapping.as_str()),
                    ("topic", &partition.topic),
                    ("partition", &number),
                ];
                if let Some(value) = read(partition) {
                    out.sample(name, &labels, value);
                }
            }
        }
    }
}
