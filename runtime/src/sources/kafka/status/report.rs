//! What the host shows of a mapping: samples, alarms, the entry in the status.

use serde_json::json;

use super::{MappingStatus, PartitionStatus};
use crate::sources::status::{
    MetricColumn, MetricFamily, SourceMetric, SourceStatus, SourceSubject,
};

const RECORDS_LOST: &str = "records were given up for their size, and no destination holds them; \
                            the log names each";
const RECORDS_DELETED_UNREAD: &str = "records were deleted from their topic before they were read \
                                      (retention, or DeleteRecords); the log names their offsets. \
                                      Raise retention.ms of the topic, or have the mapping keep up";
const LOGS_REPLACED: &str = "partitions have another log than before (a topic that was created \
                             again, or a log that was cut) and were read from its start; the log \
                             names each";

static OF_MAPPING: [MetricColumn<MappingStatus>; 10] = [
    (
        MetricFamily::new(
            "usher_kafka_records_deleted_unread_total",
            "Records that were deleted from their topic before they were read.",
        ),
        |m| Some(m.records_deleted_unread as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_logs_replaced_total",
            "Partitions read from their start because their log is another one than before.",
        ),
        |m| Some(m.logs_replaced as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_records_filtered_total",
            "Records dropped by the filters.",
        ),
        |m| Some(m.records_filtered as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_records_done_total",
            "Records that are over with: done, or discarded.",
        ),
        |m| Some(m.records_done as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_batches_total",
            "Batches handed to the function.",
        ),
        |m| Some(m.batches as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_failed_batches_total",
            "Batches that failed, whole or in part.",
        ),
        |m| Some(m.failed_batches as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_records_discarded_total",
            "Records given up by a limit of the mapping.",
        ),
        |m| Some(m.records_discarded as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_failure_records_reduced_total",
            "Failure records that the destination took only without their payload or details.",
        ),
        |m| Some(m.failure_records_reduced as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_records_lost_total",
            "Records larger than an event, or than their destination takes in any form.",
        ),
        |m| Some(m.records_lost as f64),
    ),
    (MetricFamily::up("usher_kafka_up"), |m| {
        Some(f64::from(!m.health.state.is_unwell()))
    }),
];

static OF_PARTITION: [MetricColumn<PartitionStatus>; 2] = [
    (
        MetricFamily::new(
            "usher_kafka_lag",
            "Offsets between what is done and the last stable offset, of partitions that this host \
             owns.",
        ),
        |p| p.lag.map(|lag| lag as f64),
    ),
    (
        MetricFamily::new(
            "usher_kafka_lag_seconds",
            "Age of the oldest record that waits, of partitions that this host owns; 0: none waits.",
        ),
        |p| Some(p.health.oldest_waiting_ms.unwrap_or_default() as f64 / 1000.0),
    ),
];

impl From<MappingStatus> for SourceStatus {
    fn from(status: MappingStatus) -> Self {
        let mapping = ("mapping", status.mapping.as_str());
        let mut metrics = SourceMetric::table(&status, &[mapping], &OF_MAPPING);
        for partition in &status.partitions {
            let number = partition.partition.to_string();
            let labels = [mapping, ("topic", &partition.topic), ("partition", &number)];
            metrics.extend(SourceMetric::table(partition, &labels, &OF_PARTITION));
        }
        let parts = status.partitions.iter();
        let mut report = Self {
            id: status.mapping.clone(),
            subject: SourceSubject::Mapping,
            health: status.health.clone(),
            parts: parts.map(|partition| partition.health.clone()).collect(),
            alarms: Vec::new(),
            metrics,
            entry: json!(status),
        };
        report.add_loss(status.records_lost, RECORDS_LOST);
        report.add_loss(status.records_deleted_unread, RECORDS_DELETED_UNREAD);
        report.add_loss(status.logs_replaced, LOGS_REPLACED);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarms(status: MappingStatus) -> Vec<String> {
        SourceStatus::from(status).alarms
    }

    #[test]
    fn each_loss_is_an_alarm() {
        let lost = alarms(MappingStatus {
            records_lost: 2,
            ..MappingStatus::default()
        });
        assert!(
            lost.len() == 1 && lost[0].starts_with("2 records"),
            "{lost:?}"
        );
        let deleted = alarms(MappingStatus {
            records_deleted_unread: 40,
            logs_replaced: 3,
            ..MappingStatus::default()
        });
        assert!(
            deleted[0].starts_with("40 records were deleted")
                && deleted[1].starts_with("3 partitions"),
            "{deleted:?}"
        );
        assert_eq!(alarms(MappingStatus::default()), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_lag_is_no_sample() {
        let partition = |partition, lag| PartitionStatus {
            topic: "t".into(),
            partition,
            lag,
            ..PartitionStatus::default()
        };
        let status = MappingStatus {
            partitions: vec![partition(0, None), partition(1, Some(4))],
            ..MappingStatus::default()
        };
        let metrics = SourceStatus::from(status).metrics;
        let lags: Vec<(&str, f64)> = metrics
            .iter()
            .filter(|sample| sample.family.name == "usher_kafka_lag")
            .map(|sample| (sample.labels[2].1.as_str(), sample.value))
            .collect();
        assert_eq!(lags, [("1", 4.0)]);
    }
}
