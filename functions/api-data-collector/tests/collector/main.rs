//! Batches through the handler, with a real `PostgreSQL` (`scripts/servers start postgres`), each test in a schema of its own.

mod batches;
mod settings;
mod stage;
