//! `usher`: a Docker-free host for AWS SAM applications.
//!
//! Modules, in the order a run passes through them:
//!
//! - [`sam_template`] resolves what the user wrote into one [`sam_template::model::Application`];
//!   [`build`] builds the executables.
//! - [`up`] starts the components of a host and drains them; [`supervision`] restarts one that
//!   ends.
//! - [`instances`] runs functions as processes over the Lambda Runtime API; [`invocation`] is what
//!   every source of events exchanges with it.
//! - [`sources`] are the sources of events: Kafka, SQS, schedules, asynchronous events; their pure
//!   state machines stand in the crate `event-sources`. [`http`] and [`invoke_api`] serve requests.
//! - [`embedded_queues`] serves the queues of an application that has no SQS endpoint.
//! - [`listener`] serves HTTP on every port; [`client`] calls a running host.
//! - [`control`] is the control port: live page, status, metrics, health and changes.
//!   [`observation`] counts what happens, [`tuning`] changes settings of a running host, [`faults`]
//!   injects faults.
//! - [`parked`] lists dead letters and sends them back; [`bridge`] copies a topic to a queue;
//!   [`doctor`] checks the machine; [`cli`] is the command line.
//! - [`state`] is the folder of one host; `host_file` is the file in it by which commands find the
//!   host; `descriptors` divides the open files.
//! - [`init`] writes new projects and functions from templates.
//! - [`terminal`] escapes text from outside for terminals and logs.
//!
//! This crate depends on no particular application.

pub mod bridge;
pub mod build;
pub mod cli;
pub mod client;
mod clock;
pub mod control;
mod descriptors;
mod destinations;
pub mod doctor;
pub mod embedded_queues;
pub mod faults;
mod host_file;
pub mod http;
mod ids;
pub mod init;
pub mod instances;
pub mod invocation;
pub mod invoke_api;
pub mod listener;
mod lock;
pub mod observation;
pub mod parked;
mod reachable;
mod redis_client;
mod run_to_end;
pub mod sources;
pub mod state;
pub mod supervision;
pub mod terminal;
pub mod tuning;
pub mod up;
mod waiting;

/// Version and commit, such as `1.2.0 (0123456789ab)`; the version alone where the sources of the
/// build were in no git repository.
pub const VERSION: &str = env!("USHER_VERSION");
