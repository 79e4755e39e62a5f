//! Clients that a person's command uses: no word but the result.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};

/// A consumer whose only word is what it is asked for.
pub(crate) struct SilentContext;

impl ClientContext for SilentContext {
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}
    fn error(&self, _: KafkaError, _: &str) {}
}

impl ConsumerContext for SilentContext {}

/// What became of records that were sent, by the number that each was sent under.
#[derive(Debug, Default)]
pub(crate) struct DeliveryResults(Mutex<BTreeMap<usize, Result<(), KafkaError>>>);

impl DeliveryResults {
    /// What became of the record of this number; `None`: it is not known yet.
    pub(crate) fn of(&self, number: usize) -> Option<Result<(), KafkaError>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&number)
            .cloned()
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
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(number, result);
    }
}
