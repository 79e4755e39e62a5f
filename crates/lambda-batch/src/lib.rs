#![doc = include_str!("../README.md")]

mod bisect;
mod content;
mod kafka;
mod ledger;
mod outcome;
mod response;
mod retry;
mod schedule;
mod sqlstate;
mod sqs;

#[cfg(test)]
mod kafka_response_tests;
#[cfg(test)]
mod sqs_response_tests;

pub use bisect::Bisect;
pub use content::BadContent;
pub use kafka::{KafkaBatch, KafkaRecord, Payload};
pub use ledger::{Ledger, OutcomeCounts};
pub use outcome::{Outcome, Reason};
pub use response::{BatchItemFailure, BatchResponse, EventBatch, KafkaItemIdentifier};
pub use retry::Backoff;
pub use schedule::Tick;
pub use sqlstate::{ErrorClass, NextStep};
pub use sqs::{Body, SqsBatch, SqsMessage};
