//! Batches through the handler on a real `PostgreSQL` (`scripts/servers start postgres`), each test
//! in its own schema.

mod batches;
mod environment;
mod files;
mod settings;
