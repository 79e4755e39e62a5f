//! Records of other producers: header names of any bytes, batches of any compression.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

use crate::kafka_fixture::{KafkaFixture, values};
use crate::raw_kafka;

impl KafkaFixture {
    /// Appends a record with these headers. The function records its JSON.
    fn append(&self, value: &str, headers: &[raw_kafka::Header<'_>]) {
        raw_kafka::produce(
            &self.mapping.bootstrap_servers,
            &self.mapping.topics[0],
            0,
            value.as_bytes(),
            headers,
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_names_of_any_bytes_reach_the_function() {
    let fixture = KafkaFixture::new(1).await;
    fixture.append(
        "dump",
        &[
            (b"tr\xe4ce", Some(b"v\xff")),
            (b"before\0after", Some(b"")),
            (b"", None),
            (b"\xff\xfe", Some(b"1")),
        ],
    );
    fixture.append("and on", &[(b"plain", Some(b"x"))]);
    let running = fixture.start();
    let seen = fixture.eventually_seen(2).await;
    running.drain().await;
    let record: Value = serde_json::from_str(&seen[0].2).unwrap();
    // a NUL byte ends a name: librdkafka returns C strings
    let expected =
        json!([{"tr\u{fffd}ce": [118, -1]}, {"before": []}, {"": []}, {"\u{fffd}\u{fffd}": [49]}]);
    assert_eq!(record["headers"], expected);
    assert_eq!(seen[1].2, "and on");
    assert_eq!(fixture.committed(0).await, Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_every_compression_are_read() {
    let codecs = ["zstd", "gzip", "snappy", "lz4", "none"];
    let fixture = KafkaFixture::new(1).await;
    for codec in codecs {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
            .set("compression.type", codec)
            // several records a batch: a single one may be sent uncompressed
            .set("linger.ms", "100")
            .create()
            .unwrap();
        let values: Vec<String> = values(0..20)
            .iter()
            .map(|value| format!("{codec} {}", value.repeat(50)))
            .collect();
        let sends = values.iter().map(|value| {
            let record: FutureRecord<'_, (), String> = FutureRecord::to(&fixture.mapping.topics[0])
                .partition(0)
                .payload(value);
            producer.send(record, Duration::from_secs(30))
        });
        for sent in futures::future::join_all(sends).await {
            sent.unwrap();
        }
    }
    let running = fixture.start();
    let seen = fixture.eventually_seen(codecs.len() * 20).await;
    running.drain().await;
    for codec in codecs {
        assert_eq!(
            seen.iter().filter(|seen| seen.2.starts_with(codec)).count(),
            20,
            "{codec}"
        );
    }
}
