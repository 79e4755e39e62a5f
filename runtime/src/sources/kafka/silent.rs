//! Contexts of clients for operators' commands: librdkafka logs nothing, errors are in the results.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Mutex;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::tokens::ClientTokens;
use crate::lock::lock;

/// Context of a consumer without logs.
#[derive(Default)]
pub(crate) struct SilentContext {
    pub(super) tokens: ClientTokens,
}

impl ClientContext for SilentContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }
}

impl ConsumerContext for SilentContext {}

/// Context of a producer without logs. Keeps the result of each record, by its number.
#[derive(Debug, Default)]
pub(crate) struct DeliveryResults {
    results: Mutex<BTreeMap<usize, Result<(), KafkaError>>>,
    tokens: ClientTokens,
}

impl DeliveryResults {
    pub(crate) fn new(tokens: ClientTokens) -> Self {
        Self {
            results: Mutex::default(),
            tokens,
        }
    }

    /// `None`: no result yet.
    pub(crate) fn of(&self, number: usize) -> Option<Result<(), KafkaError>> {
        lock(&self.results).get(&number).cloned()
    }
}

impl ClientContext for DeliveryResults {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }
}

impl ProducerContext for DeliveryResults {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let result = result
            .as_ref()
            .map(drop)
            .map_err(|(error, _)| error.clone());
        lock(&self.results).insert(number, result);
    }
}
