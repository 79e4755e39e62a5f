//! The host against real processes and real servers. One binary: linking is the slow part.

#![allow(clippy::unwrap_used)]

mod asynchronous;
mod beside;
mod bridge;
mod browser;
mod cli;
mod doctor;
mod endings;
mod examples;
mod exposition;
mod extensions;
mod failed_calls;
mod faults;
mod http;
mod http_kinds;
mod instances;
mod invoke_api;
mod invoke_callers;
mod isolation;
mod jwks;
mod kafka;
mod kafka_discards;
mod kafka_inputs;
mod kafka_lost;
mod kafka_recovery;
mod kafka_security;
mod killed;
mod lag;
mod logging;
mod mixed_load;
mod offsets;
mod operations;
mod operations_stage;
mod outcomes;
mod oversize;
mod oversize_queues;
mod page;
mod page_truth;
mod pages;
mod parked;
mod raw_kafka;
mod schedule;
mod semantics;
mod shortage;
mod skipped_functions;
mod something_is_stuck;
mod source_states;
mod sources_stage;
mod sqs;
mod sqs_servers;
mod sqs_stage;
mod state;
mod strict_requests;
mod supervised;
mod support;
mod template_errors;
#[path = "../../../crates/sam-template/tests/templates/fixture.rs"]
#[allow(dead_code)]
mod template_fixture;
mod template_output;
mod terminal;
mod tuning;
mod two_hosts;
mod up;
mod workspaces;
