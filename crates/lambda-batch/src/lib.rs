#![doc = include_str!("../README.md")]

mod bisect;
mod content;
mod idempotency;
mod kafka;
mod ledger;
mod outcome;
mod processor;
mod response;
mod retry;
mod schedule;
mod sqlstate;
mod sqs;
mod transaction;

#[cfg(test)]
mod kafka_response_tests;
#[cfg(test)]
mod sqs_response_tests;
#[cfg(test)]
mod transaction_tests;

pub use bisect::Bisect;
pub use content::BadContent;
#[cfg(feature = "idempotency-postgres")]
pub use idempotency::PostgresIdempotency;
#[cfg(feature = "idempotency-redis")]
pub use idempotency::RedisIdempotency;
pub use idempotency::{
    Idempotency, IdempotencyError, IdempotencyLease, IdempotencyState, IdempotencyStore,
};
pub use kafka::{KafkaBatch, KafkaRecord, Payload};
pub use ledger::{Ledger, OutcomeCounts};
pub use outcome::{HandlerError, Outcome, Reason};
pub use processor::{BatchProcessor, NoParker, NotParked, Parker};
pub use response::{BatchItemFailure, BatchResponse, EventBatch, KafkaItemIdentifier};
pub use retry::Backoff;
pub use schedule::Tick;
pub use sqlstate::{ErrorClass, NextStep};
pub use sqs::{MessageBody, SqsBatch, SqsMessage};
pub use transaction::{
    BatchPart, BatchTransaction, CommittedPrefix, TransactionError, Unfinished, commit_prefix,
};
