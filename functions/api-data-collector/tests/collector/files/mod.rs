//! Calls as files: what batches, crashes and upkeep leave in the store.

mod crashes;
mod duckdb;
mod dying;
mod environment;
mod exactly_once;
mod s3;
mod upkeep;
