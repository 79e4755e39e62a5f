//! Batches through the handler on a real `PostgreSQL` and a real Redis
//! (`scripts/servers start postgres redis`).

mod cluster;
mod concurrent;
mod environment;
mod orders;
mod settings;
