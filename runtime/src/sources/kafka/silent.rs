//! Contexts of clients for operators' commands: librdkafka logs nothing, errors are in the results.

use std::collections::BTreeMap;
use std::sync::Mutex;

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use crate::lock::lock;

/// Context of a consumer without logs.
pub(crate) struct SilentContext;

impl ClientContext for SilentContext {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for SilentContext {}

/// Context of a producer without logs. Keeps the result of each record, by its number.
#[derive(Debug, Default)]
pub(crate) struct DeliveryResults(Mutex<BTreeMap<usize, Result<(), KafkaError>>>);

impl DeliveryResults {
    /// `None`: no result yet.
    pub(crate) fn of(&self, number: usize) -> Option<Result<(), KafkaError>> {
        lock(&self.0).get(&number).cloned()
    }
}

impl ClientContext for DeliveryResults {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ProducerContext for DeliveryResults {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        let result = result
            .as_ref()
            .map(drop)
            .map_err(|(error, _)| error.clone());
        lock(&self.0).insert(number, result);
    }
}
