//! Checks a cluster before the start: does it respond, accept the login, and have the topics?

use std::error::Error;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use sam_template::model::KafkaSecurity;

use super::settings;
use super::tokens::ClientTokens;
use crate::lock::lock;

/// Time limit of one attempt.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// It does not respond, or librdkafka refuses the configuration.
    #[error(
        "Kafka at {servers} does not answer ({error}). Start it, or name another in usher.toml"
    )]
    Unreachable {
        /// Bootstrap servers.
        servers: String,
        /// The reason.
        #[source]
        error: KafkaError,
    },
    /// A key or certificate cannot be parsed.
    #[error("no client for Kafka at {servers}: {why}. Check the secrets that usher.toml names")]
    Secret {
        /// Bootstrap servers.
        servers: String,
        /// What librdkafka reports.
        why: String,
    },
    /// The cluster rejects the login.
    #[error(
        "Kafka at {servers} does not accept the login ({reason}). Check the secret that usher.toml \
         names for it"
    )]
    Login {
        /// Bootstrap servers.
        servers: String,
        /// What the cluster reports.
        reason: String,
    },
    /// The certificates of one side are not trusted by the other.
    #[error(
        "Kafka at {servers} and this host do not trust each other ({reason}). Check the \
         certificates that usher.toml names: SERVER_ROOT_CA_CERTIFICATE for a broker of a private \
         authority, CLIENT_CERTIFICATE_TLS_AUTH if the broker requires client certificates"
    )]
    Certificate {
        /// Bootstrap servers.
        servers: String,
        /// What librdkafka reports.
        reason: String,
    },
}

/// Returns the topics that the cluster does not have. Blocks for `patience` at most.
///
/// # Errors
/// The cluster does not respond within `patience`, or rejects the login or certificate.
pub fn probe(
    bootstrap_servers: &str,
    security: &KafkaSecurity,
    topics: &[String],
    patience: Duration,
) -> Result<Vec<String>, ProbeError> {
    let servers = || bootstrap_servers.to_owned();
    let unreachable = |error| ProbeError::Unreachable {
        servers: servers(),
        error,
    };
    let mut config = ClientConfig::new();
    settings::connection(bootstrap_servers, security, &mut config);
    config.set("allow.auto.create.topics", "false");
    let context = ProbeContext {
        servers: servers(),
        refused: Mutex::default(),
        tokens: ClientTokens::of(security),
    };
    let consumer: BaseConsumer<ProbeContext> =
        config
            .create_with_context(context)
            .map_err(|error| match error {
                KafkaError::ClientCreation(why) if security.tls => ProbeError::Secret {
                    servers: servers(),
                    why,
                },
                other => unreachable(other),
            })?;
    consumer.context().tokens.await_first(&consumer);
    let until = Instant::now() + patience;
    let metadata = loop {
        match consumer.fetch_metadata(None, ATTEMPT.min(patience)) {
            Ok(metadata) => break metadata,
            Err(error) => {
                // polling runs the error callback of the context
                while consumer.poll(Duration::from_millis(10)).is_some() {}
                let refused = lock(&consumer.context().refused).take();
                if let Some(refused) = refused {
                    return Err(refused);
                }
                if Instant::now() >= until {
                    return Err(unreachable(error));
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
struct ProbeContext {
    servers: String,
    refused: Mutex<Option<ProbeError>>,
    tokens: ClientTokens,
}

impl ClientContext for ProbeContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, reason: &str) {
        let (servers, reason) = (self.servers.clone(), reason.to_owned());
        let refusal = match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::Authentication) => ProbeError::Login { servers, reason },
            Some(RDKafkaErrorCode::SSL) => ProbeError::Certificate { servers, reason },
            _ => return,
        };
        lock(&self.refused).get_or_insert(refusal);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }
}

impl ConsumerContext for ProbeContext {}
