//! Fixtures that the tests of several crates share. It uses no other crate of the repository.
//!
//! | module | provides |
//! |---|---|
//! | [`servers`] | addresses of the shared servers, and a prefix for each test's data on them |
//! | [`cleanup`] | cleanup that runs however a test ends |
//! | [`wait`] | waiting for a condition, with a deadline |
//! | [`net`] | free ports |
//! | [`process`] | child processes that end with their test |
//! | [`relay`] | a TCP relay in front of a server: it redirects, silences, resets, holds, delays and cuts connections |
//! | [`refusing`] | servers that refuse every request |
//! | [`aws`] | a server of secrets that verifies signatures |
//! | [`kafka`], [`private_sqs`], [`redis`], [`redis_cluster`], [`redis_sentinel`], [`private_postgres`], [`pgbouncer`], [`s3`] | private servers that a test may stop, kill and damage |
//! | [`small_disk`] | a file system of one server, which can be full |
//! | [`python`] | programs in Python that `scripts/setup` installs |
//! | [`suite`] | runs tests of this binary again, on other servers |
//! | [`postgres`], [`sqs`] | clients of the shared servers |
//! | [`tls`] | a certificate authority, with certificates that are valid, expired, or of another name |
//! | [`statements`] | a TCP relay that counts the statements sent to Postgres |

pub mod aws;
pub mod cleanup;
pub mod kafka;
pub mod net;
pub mod pgbouncer;
pub mod postgres;
pub mod private_postgres;
pub mod private_sqs;
pub mod process;
pub mod python;
pub mod redis;
pub mod redis_cluster;
pub mod redis_sentinel;
pub mod refusing;
pub mod relay;
pub mod s3;
pub mod servers;
pub mod small_disk;
pub mod sqs;
pub mod statements;
pub mod suite;
pub mod tls;
pub mod wait;

pub use cleanup::with_cleanup;
pub use servers::prefix;
pub use wait::{eventually, eventually_within, until};
