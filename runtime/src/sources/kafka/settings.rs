//! Settings of a mapping for librdkafka and for the pure machine.

use std::collections::BTreeSet;
use std::time::Duration;

use event_sources::stream::StreamSettings;
use rdkafka::ClientConfig;
use sam_template::model::{KafkaMapping, KafkaSecurity};
use sha2::{Digest, Sha256};

use super::tokens::ClientTokens;
use super::{KafkaLimits, encode};
use crate::invocation::MAX_PAYLOAD;

/// Upper bound in bytes: the longest topic name (249), a partition number and punctuation.
const PARTITION_OVERHEAD: usize = 270;

/// The service's batching window if the template has none.
pub(crate) const SERVICE_WINDOW: Duration = Duration::from_millis(500);

/// Addresses and credentials of the mapping's cluster.
pub(crate) fn cluster(mapping: &KafkaMapping) -> ClientConfig {
    let mut config = ClientConfig::new();
    connection(&mapping.bootstrap_servers, &mapping.security, &mut config);
    config
        .set("client.id", format!("usher-{}", mapping.id))
        .set("reconnect.backoff.max.ms", "1000")
        // a connection that has gone silent is replaced within five seconds; librdkafka's own
        // timeouts are a minute, and half a minute
        .set("socket.timeout.ms", "3000")
        .set("socket.connection.setup.timeout.ms", "3000")
        .set("socket.keepalive.enable", "true")
        .set("socket.nagle.disable", "true");
    config
}

/// As [`cluster`], with the tokens that a client needs beside it.
pub(super) fn access(mapping: &KafkaMapping) -> (ClientConfig, ClientTokens) {
    (cluster(mapping), ClientTokens::of(&mapping.security))
}

/// Sets addresses, encryption and credentials.
pub(super) fn connection(servers: &str, security: &KafkaSecurity, config: &mut ClientConfig) {
    let logs_in = security.login.is_some() || security.iam.is_some();
    let protocol = match (logs_in, security.tls) {
        (true, _) => "sasl_ssl",
        (false, true) => "ssl",
        (false, false) => "plaintext",
    };
    config
        .set("bootstrap.servers", servers)
        .set("security.protocol", protocol);
    if let Some(ca) = &security.ca {
        config.set("ssl.ca.pem", ca);
    }
    if let Some(own) = &security.certificate {
        config
            .set("ssl.certificate.pem", &own.certificate)
            .set("ssl.key.pem", own.key.reveal());
        if let Some(password) = &own.key_password {
            config.set("ssl.key.password", password.reveal());
        }
    }
    if let Some(login) = &security.login {
        config
            .set("sasl.mechanism", login.mechanism)
            .set("sasl.username", &login.username)
            .set("sasl.password", login.password.reveal());
    }
    if security.iam.is_some() {
        config.set("sasl.mechanism", "OAUTHBEARER");
    }
}

/// The consumer's configuration.
pub(super) fn client(mapping: &KafkaMapping, host_id: &str) -> ClientConfig {
    let mut config = cluster(mapping);
    config
        .set("group.id", &mapping.group)
        // static membership: after a kill the next process takes over before the session expires
        .set("group.instance.id", instance_id(mapping, host_id))
        // the driver commits offsets after their records are done
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // an invalid position is an error, which `start_offsets` handles; librdkafka would skip or
        // repeat records without a message
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "3000")
        // the polling thread polls all the time, but for revocations and assignments; this is also
        // what ends a request to join on a connection that has gone silent
        .set("max.poll.interval.ms", "60000")
        // records of aborted transactions never reach a function
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", "10000")
        // an answer has to arrive within socket.timeout.ms, also over 10 Mbit/s
        .set("fetch.max.bytes", "4000000")
        // buffer of librdkafka per partition, and the delay until it fetches again after it was
        // full
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.queue.backoff.ms", "20")
        .set("statistics.interval.ms", "1000");
    config
}

/// The member name: the same for every start of this mapping on this host, different for other
/// hosts and other topics.
///
/// A broker gives a static member that returns within its session its previous partitions, without
/// a check of the topics: under the same name a mapping with another topic would get no partition
/// of it.
fn instance_id(mapping: &KafkaMapping, host_id: &str) -> String {
    let topics: BTreeSet<&str> = mapping.topics.iter().map(String::as_str).collect();
    let topics: Vec<&str> = topics.into_iter().collect();
    let digest = Sha256::digest(format!(
        "{host_id}\n{}\n{}\n{}",
        mapping.id,
        mapping.group,
        topics.join("\n")
    ));
    format!("usher-{}", hex::encode(&digest[..8]))
}

/// Settings of the machine.
pub(super) fn machine(mapping: &KafkaMapping, limits: &KafkaLimits) -> StreamSettings {
    let (default_window, backoff, max_backoff) = if limits.aws_timing {
        (
            SERVICE_WINDOW,
            Duration::from_secs(1),
            Duration::from_mins(1),
        )
    } else {
        (
            Duration::ZERO,
            Duration::from_millis(100),
            Duration::from_secs(5),
        )
    };
    StreamSettings {
        batch_size: mapping.batch_size as usize,
        window: if mapping.batching_window.is_zero() {
            default_window
        } else {
            mapping.batching_window
        },
        max_payload: MAX_PAYLOAD,
        envelope: encode::envelope(mapping).len() + encode::EVENT_END.len(),
        partition_overhead: PARTITION_OVERHEAD,
        bisect: mapping.bisect,
        max_retries: mapping.max_retries,
        max_age: mapping.max_age,
        has_destination: mapping.on_failure.is_some(),
        max_in_flight: limits.in_flight.max(1),
        buffer_bytes: limits.buffer_bytes,
        commit_interval: Duration::from_millis(500),
        backoff,
        max_backoff,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::kafka::discards::tests::mapping;
    use crate::supervision::ComponentRegistry;
    use sam_template::model::KafkaKind;

    fn limits(aws_timing: bool) -> KafkaLimits {
        let host_id = String::new();
        let function_arn = String::new();
        KafkaLimits {
            in_flight: 1,
            buffer_bytes: 1,
            drain: Duration::ZERO,
            host_id,
            aws_timing,
            sqs: None,
            function_arn,
            parts: ComponentRegistry::default(),
            state: None,
        }
    }

    #[test]
    fn other_topics_make_another_member() {
        let mut mapping = mapping(KafkaKind::SelfManaged);
        let own = |mapping: &KafkaMapping| instance_id(mapping, "host");
        mapping.topics = vec!["a".to_owned(), "b".to_owned()];
        let both = own(&mapping);
        mapping.topics.reverse();
        assert_eq!(own(&mapping), both, "the order does not matter");
        for topics in [vec!["a"], vec!["b"], vec!["a", "c"], vec!["a", "b", "c"]] {
            mapping.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            assert_ne!(own(&mapping), both, "{topics:?}");
        }
    }

    #[test]
    fn aws_timing_has_longer_windows_and_delays() {
        let mut mapping = mapping(KafkaKind::SelfManaged);
        let fast = machine(&mapping, &limits(false));
        let slow = machine(&mapping, &limits(true));
        assert_eq!(
            (fast.window, slow.window),
            (Duration::ZERO, Duration::from_millis(500))
        );
        assert_eq!(
            (slow.backoff, slow.max_backoff),
            (Duration::from_secs(1), Duration::from_secs(60))
        );
        assert!(fast.backoff < slow.backoff && fast.max_backoff < slow.max_backoff);
        mapping.batching_window = Duration::from_secs(3);
        assert_eq!(
            machine(&mapping, &limits(true)).window,
            Duration::from_secs(3)
        );
    }
}
