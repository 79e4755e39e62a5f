//! The host against real processes and real servers. One binary: linking is the slow part.

#![allow(clippy::unwrap_used)]

mod bad_folders;
mod bad_templates;
mod cli;
mod examples;
mod http;
mod http_kinds;
mod instances;
mod kafka;
mod schedule;
mod sqs;
mod sqs_servers;
mod sqs_stage;
mod support;
mod template;
mod template_apis;
mod template_wild;
mod up;
