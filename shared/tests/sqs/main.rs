//! Sending to SQS: `ElasticMQ`, and a server with given replies.
//!
//! The server is that of `SQS_ENDPOINT` (`scripts/servers start sqs`); each test has its own
//! queues.

mod environment;
mod replies;
mod sending;
