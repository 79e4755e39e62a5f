//! A mapping's settings, as librdkafka and the pure machine want them.

use std::collections::BTreeSet;
use std::time::Duration;

use rdkafka::ClientConfig;
use sha2::{Digest, Sha256};

use super::{Limits, encode};
use crate::invocation::MAX_PAYLOAD;
use crate::model::{KafkaMapping, KafkaSecurity};
use event_sources::stream::StreamSettings;

/// Longest topic name (249), a partition number and the punctuation around them.
const PARTITION_OVERHEAD: usize = 270;

/// How long the service gathers a batch where the template names no window.
pub(crate) const SERVICE_GATHERS: Duration = Duration::from_millis(500);

/// How the mapping's cluster is reached, whatever for.
pub(crate) fn cluster(mapping: &KafkaMapping) -> ClientConfig {
    let mut config = ClientConfig::new();
    reach(&mapping.bootstrap_servers, &mapping.security, &mut config);
    config
        .set("client.id", format!("usher-{}", mapping.id))
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.nagle.disable", "true");
    config
}

/// Where the brokers are, and what they are shown.
pub(super) fn reach(servers: &str, security: &KafkaSecurity, config: &mut ClientConfig) {
    let protocol = match (&security.login, security.tls) {
        (Some(_), _) => "sasl_ssl",
        (None, true) => "ssl",
        (None, false) => "plaintext",
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
}

/// The consumer's configuration.
pub(super) fn client(mapping: &KafkaMapping, host_id: &str) -> ClientConfig {
    let mut config = cluster(mapping);
    config
        .set("group.id", &mapping.group)
        // static membership: after a kill the successor takes over at once, without waiting for the session to run out
        .set("group.instance.id", instance_id(mapping, host_id))
        // offsets are committed by us and only for what is done
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // a position that the log does not have is an error, which `offsets` settles: librdkafka would skip or repeat records silently
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "10000")
        .set("heartbeat.interval.ms", "3000")
        // a producer's aborted transactions never reach a function
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false")
        .set("topic.metadata.refresh.interval.ms", "10000")
        // what librdkafka itself may hold of each partition before our own buffers, and how soon it fetches on when there is
        // room again
        .set("queued.max.messages.kbytes", "4096")
        .set("fetch.queue.backoff.ms", "20")
        .set("statistics.interval.ms", "1000");
    config
}

/// The same for every start of this mapping on this host, different on every other, and for other topics.
///
/// A broker gives a static member that comes back within its session the partitions that it had, without a look at its topics: under the
/// same name a mapping whose template now names another topic would have nothing of it.
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

/// The machine's settings.
pub(super) fn machine(mapping: &KafkaMapping, limits: &Limits) -> StreamSettings {
    let (gathering, backoff, max_backoff) = if limits.aws_timing {
        (
            SERVICE_GATHERS,
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
            gathering
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
    use crate::kafka::discards::tests::mapping;
    use crate::model::KafkaKind;
    use crate::supervision::Registry;

    fn limits(aws_timing: bool) -> Limits {
        let host_id = String::new();
        let function_arn = String::new();
        Limits {
            in_flight: 1,
            buffer_bytes: 1,
            drain: Duration::ZERO,
            host_id,
            aws_timing,
            sqs: None,
            function_arn,
            parts: Registry::default(),
            state: None,
        }
    }

    #[test]
    fn a_member_of_other_topics_is_another_member() {
        let mut mapping = mapping(KafkaKind::SelfManaged);
        let own = |mapping: &KafkaMapping| instance_id(mapping, "host");
        mapping.topics = vec!["a".to_owned(), "b".to_owned()];
        let both = own(&mapping);
        mapping.topics.reverse();
        assert_eq!(own(&mapping), both, "their order is of no account");
        for topics in [vec!["a"], vec!["b"], vec!["a", "c"], vec!["a", "b", "c"]] {
            mapping.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
            assert_ne!(own(&mapping), both, "{topics:?}");
        }
    }

    #[test]
    fn at_the_services_pace_a_mapping_gathers_and_waits_longer_and_its_own_window_comes_first() {
        let mut mapping = mapping(KafkaKind::SelfManaged);
        let soon = machine(&mapping, &limits(false));
        let slow = machine(&mapping, &limits(true));
        assert_eq!(
            (soon.window, slow.window),
            (Duration::ZERO, Duration::from_millis(500))
        );
        assert_eq!(
            (slow.backoff, slow.max_backoff),
            (Duration::from_secs(1), Duration::from_secs(60))
        );
        assert!(soon.backoff < slow.backoff && soon.max_backoff < slow.max_backoff);
        mapping.batching_window = Duration::from_secs(3);
        assert_eq!(
            machine(&mapping, &limits(true)).window,
            Duration::from_secs(3)
        );
    }
}
