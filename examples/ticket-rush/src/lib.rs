//! Tools of a client of the ticket sale on one machine, for the demo, the journeys and the
//! benchmarks.
//!
//! | module | provides |
//! |---|---|
//! | [`locations`] | paths of the checkout and the programs |
//! | [`servers`] | addresses and logins of the servers, and clients of them |
//! | [`keys`] | the key set that signs buyers' tokens, and the tokens |
//! | [`locks`] | one run at a time per data folder and per environment |
//! | [`shutdown`] | the signals that end a run |
//! | [`topics`] | creation and removal of Kafka topics |
//! | [`application`] | a copy of the application whose functions run in chosen execution models |
//! | [`host`] | `usher` as a child process: invoke, up, stop, kill |
//! | [`kill`] | killing a function while it handles an event |
//! | [`status`] | the status document of `usher` |
//! | [`api`] | the HTTP API, as buyers and the payment provider use it |
//! | [`client_log`] | the log of all requests and answers, for the audit |
//! | [`rush`] | buyers that rush a sale by a seed |
//! | [`prepare`] | setup of an environment: keys, topics, tables |
//! | [`provider`] | the payment provider's side of refunds |
//! | [`moving_address`] | the address of a database that fails over |
//! | [`remove`] | removal of an environment from the servers |
//!
//! It uses no code of the system: it sends what any client would send.

pub mod api;
pub mod application;
pub mod client_log;
pub mod host;
pub mod keys;
pub mod kill;
pub mod locations;
pub mod locks;
pub mod moving_address;
pub mod prepare;
pub mod provider;
pub mod remove;
pub mod rush;
pub mod servers;
pub mod shutdown;
pub mod status;
pub mod topics;
