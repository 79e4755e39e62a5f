//! Asks a cluster once, before anything starts: is it there, does it let us in, has it the topics?

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;

use super::settings;
use crate::model::KafkaSecurity;

/// One attempt takes so long at most; then it is looked at why none has succeeded.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Which of `topics` the cluster lacks.
///
/// # Errors
/// One readable message when it cannot be reached within `patience`, or does not let us in. Blocks that long.
pub fn reach(
    bootstrap_servers: &str,
    security: &KafkaSecurity,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<String>, String> {
    let unreachable = |error: &dyn std::fmt::Display| {
        format!(
            "Kafka at {bootstrap_servers} does not answer ({error}). Start it, or name another in usher.toml"
        )
    };
    let mut config = ClientConfig::new();
    settings::reach(bootstrap_servers, security, &mut config);
    config.set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer<Listening> = config.create_with_context(Listening::default()).map_err(|error| match error {
        // a key or certificate that cannot be read
        KafkaError::ClientCreation(why) if security.tls => {
            format!("Kafka at {bootstrap_servers} cannot be asked: {why}. Look at the secrets that usher.toml names")
        }
        other => unreachable(&other),
    })?;
    let until = Instant::now() + patience;
    let metadata = loop {
        match consumer.fetch_metadata(None, ATTEMPT.min(patience)) {
            Ok(metadata) => break metadata,
            Err(error) => {
                // what went wrong waits in the client's queue until it is polled
                while consumer.poll(Duration::from_millis(10)).is_some() {}
                let refused = consumer
                    .context()
                    .refused
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
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

/// A client whose only words are the result of the question and why it is not let in.
#[derive(Default)]
struct Listening {
    refused: Mutex<Option<String>>,
}

impl ClientContext for Listening {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let why = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication) => {
                format!(
                    "does not accept the login ({reason}). Look at the secret that usher.toml names for it"
                )
            }
            Some(RDKafkaErrorCode::SSL) => format!(
                "and this host do not trust each other ({reason}). Look at the certificates that usher.toml names: SERVER_ROOT_CA_CERTIFICATE \
                 for a broker of an authority of your own, CLIENT_CERTIFICATE_TLS_AUTH where it wants to know who asks"
            ),
            _ => return,
        };
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(why);
    }
}

impl ConsumerContext for Listening {}
