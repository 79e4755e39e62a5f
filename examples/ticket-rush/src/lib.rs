//! What a client of the ticket sale needs on its own machine, shared by the demo, the journeys and the benchmarks.
//!
//! | file | holds |
//! |---|---|
//! | [`place`] | where things are: checkout, programs, servers |
//! | [`keys`] | the key set that signs buyers' tokens, and the tokens |
//! | [`checkout`] | one run at a time in a checkout and in an environment |
//! | [`ending`] | signals that end a run in order |
//! | [`topics`] | Kafka topics made as the system needs them |
//! | [`host`] | `usher` as a child process: invoke, up, stop, kill |
//! | [`fault`] | a function killed while it works |
//! | [`status`] | what `usher` says of itself |
//! | [`shop`] | the sale's HTTP API as buyers and the payment provider use it |
//! | [`journal`] | the client log: what was asked and what was answered, for the audit |
//! | [`sent`] | what clients really sent, counted by themselves |
//! | [`prepare`] | an environment made ready: keys, topics, tables |
//! | [`remove`] | an environment taken off the servers |
//!
//! It uses nothing of the system's own code: what it sends is what any client would send.

pub mod checkout;
pub mod ending;
pub mod fault;
pub mod host;
pub mod journal;
pub mod keys;
pub mod place;
pub mod prepare;
pub mod remove;
pub mod sent;
pub mod shop;
pub mod status;
pub mod topics;
