//! The stream-bridge on real Redis and a real queue (`ElasticMQ`).
//!
//! The servers are those of `CACHE_URL` and `SQS_ENDPOINT` (`scripts/servers start cache sqs`);
//! each test has its own stream and queue.

mod cluster;
mod environment;
mod fifo;
mod forwarding;
mod interruptible_relay;
mod kills;
mod outage;
mod process;
mod rejecting_proxy;
mod settings;
