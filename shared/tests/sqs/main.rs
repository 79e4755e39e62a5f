//! Sending to SQS, against `ElasticMQ`, and against answers that no server gives on demand.
//!
//! The server is that of `SQS_ENDPOINT` (default `http://127.0.0.1:19324`; `scripts/servers start sqs`); each test has queues of its own.

mod answers;
mod sending;
mod stage;
