//! The host against real processes and real servers. One binary: linking is the slow part.

#![allow(clippy::unwrap_used)]

mod asynchronous;
mod bad_folders;
mod bad_templates;
mod bridge;
mod browser;
mod cli;
mod doctor;
mod endings;
mod examples;
mod faults;
mod http;
mod http_kinds;
mod instances;
mod invoke_api;
mod invoke_callers;
mod isolation;
mod kafka;
mod kafka_discards;
mod kafka_inputs;
mod kafka_recovery;
mod kafka_security;
mod killed;
mod mixed_load;
mod operations;
mod operations_stage;
mod own_kafka;
mod page;
mod parked;
mod raw_kafka;
mod schedule;
mod semantics;
mod shortage;
mod sqs;
mod sqs_servers;
mod sqs_stage;
mod state;
mod supervised;
mod support;
mod template;
mod template_apis;
mod template_wild;
mod tuning;
mod two_hosts;
mod up;
