//! Checks a cluster before the start: does it respond, accept the login, and have the topics?

use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use sam_template::model::KafkaSecurity;

use super::settings;
use crate::lock::lock;

/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Returns the topics that the cluster does not have. Blocks for `patience` at most.
///
/// # Errors
/// The cluster does not respond within `patience`, or rejects the login or certificate.
pub fn probe(
    bootstrap_servers: &str,
    security: &KafkaSecurity,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<String>, String> {
    let unreachable = |error: &dyn std::fmt::Display| {
        format!(
            "Kafka at {bootstrap_servers} does not answer ({error}). Start it, or name another in \
             usher.toml"
        )
    };
    let mut config = ClientConfig::new();
    settings::connection(bootstrap_servers, security, &mut config);
    config.set("allow.auto.create.topics", "false");
    let context = ProbeContext::default();
    let consumer: BaseConsumer<ProbeContext> =
        config
            .create_with_context(context)
            .map_err(|error| match error {
                // a key or certificate that cannot be parsed
                KafkaError::ClientCreation(why) if security.tls => format!(
                    "no client for Kafka at {bootstrap_servers}: {why}. Check the secrets that \
                     usher.toml names"
                ),
                other => unreachable(&other),
            })?;
    let until = Instant::now() + patience;
    let metadata = loop {
        match consumer.fetch_metadata(None, ATTEMPT.min(patience)) {
            Ok(metadata) => break metadata,
            Err(error) => {
                // polling runs the error callback of the context
                while consumer.poll(Duration::from_millis(10)).is_some() {}
                let refused = lock(&consumer.context().refused).take();
                if let Some(why) = refused {
                    return Err(format!("Kafka at {bootstrap_servers} {why}"));
                }
                if Instant::now() >= until {
                    return Err(unreachable(&error));
                }
            }
        }
    };
    let known: Vec<&str> = metadata.topics().iter().map(MetadataTopic::name).collect();
    Ok(topics
        .iter()
        .filter(|topic| !known.contains(&topic.as_str()))
        .cloned()
        .collect())
}

/// Context of a consumer without logs. Keeps why the cluster rejected the login or certificate.
#[derive(Default)]
struct ProbeContext {
    refused: Mutex<Option<String>>,
}

impl ClientContext for ProbeContext {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let why = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication) => {
                format!(
                    "does not accept the login ({reason}). Check the secret that usher.toml names \
                     for it"
                )
            }
            Some(RDKafkaErrorCode::SSL) => format!(
                "and this host do not trust each other ({reason}). Check the certificates that \
                 usher.toml names: SERVER_ROOT_CA_CERTIFICATE for a broker of a private authority, \
                 CLIENT_CERTIFICATE_TLS_AUTH if the broker requires client certificates"
            ),
            _ => return,
        };
        lock(&self.refused).get_or_insert(why);
    }
}

impl ConsumerContext for ProbeContext {}
