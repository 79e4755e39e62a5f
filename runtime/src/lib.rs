//! `usher`: a Docker-free host for AWS SAM applications.
//!
//! Rooms, in the order a run passes through them:
//! `document` reads YAML and TOML without losing the lines; `template` and `project` resolve what the user wrote into one [`model::Application`];
//! `build` makes the binaries; `instances` runs them as processes over the Lambda Runtime API;
//! `filter` decides which records a function gets to see; `mapping` is the pure event source mapping machine of streams and `kafka` its adapter; `sqs` has queues, their machine
//! and its adapter; `schedule`, `http` and `invoke_api` are the other ways to invoke functions, `asynchronous` holds the events whose callers do not wait; `connections` is HTTP for every port; `descriptors` divides the open files; `state` is the folder of one host; `faults` plans what goes wrong on purpose; `observation` keeps what happens, `source_health` classifies how each source is, `tuning` what may
//! change while it does, `control` shows and takes both; `up` ties them into a running host and drains it; `parked` brings dead letters back,
//! `bridge` copies a topic to a queue, `doctor` looks at the machine; `cli` is the door. `terminal` escapes text from outside for terminals and logs, `redaction` hides secrets in it.
//!
//! This crate knows nothing of any particular application.

pub mod asynchronous;
pub mod bridge;
pub mod build;
pub mod cli;
mod connections;
pub mod control;
mod descriptors;
mod destinations;
pub mod doctor;
pub mod faults;
pub mod http;
pub mod instances;
pub mod invocation;
pub mod invoke_api;
pub mod kafka;
pub mod observation;
pub mod parked;
pub mod schedule;
pub mod sqs;
pub mod state;
pub mod supervision;
pub mod terminal;
pub mod tuning;
pub mod up;
mod waiting;

pub use sam_template::{document, model, project, redaction, template};
