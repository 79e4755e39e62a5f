//! A mapping as `usher template` prints it. Pure.

use std::fmt::Write as _;

use sam_template::model::sqs::name_of;
use sam_template::model::{Destination, KafkaMapping};

use crate::sources::mapping::describe_filters;

pub(super) fn mapping(out: &mut String, mapping: &KafkaMapping) {
    let state = if mapping.enabled { "" } else { " (disabled)" };
    let retries = mapping
        .max_retries
        .map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string());
    let _ = writeln!(out, "\nKafka {}{state} -> {}", mapping.id, mapping.function);
    let _ = writeln!(
        out,
        "  {} at {}, group {}",
        mapping.topics.join(", "),
        mapping.bootstrap_servers,
        mapping.group
    );
    let _ = writeln!(
        out,
        "  batch {}, window {} s, partial responses {}, bisect {}, retries {retries}",
        mapping.batch_size,
        mapping.batching_window.as_secs(),
        mapping.partial_responses,
        mapping.bisect
    );
    if let Some(age) = mapping.max_age {
        let _ = writeln!(
            out,
            "  records older than {} s are discarded",
            age.as_secs()
        );
    }
    if let Some(destination) = &mapping.on_failure {
        let to = match destination {
            Destination::Sqs(arn) => format!("queue {}", name_of(arn)),
            Destination::KafkaTopic(topic) => format!("topic {topic}"),
        };
        let _ = writeln!(out, "  discarded records go to the {to}");
    }
    let security = &mapping.security;
    if security.tls {
        let login = security
            .login
            .as_ref()
            .map(|login| format!(", {} as {}", login.mechanism, login.username));
        let certificate = if security.certificate.is_some() {
            ", client certificate"
        } else {
            ""
        };
        let _ = writeln!(out, "  TLS{}{certificate}", login.unwrap_or_default());
    }
    describe_filters(out, mapping.filters.as_ref());
}
