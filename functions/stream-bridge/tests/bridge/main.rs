//! The stream-bridge over real Redis and a real queue (ElasticMQ): each test in an environment of its own.
//!
//! The servers are those of `CACHE_URL` and `SQS_ENDPOINT` (defaults `redis://127.0.0.1:16380` and `http://127.0.0.1:19324`;
//! `scripts/servers start cache sqs`).

mod cable;
mod dying;
mod fifo;
mod forwarding;
mod outage;
mod picky;
mod process;
mod settings;
mod stage;
