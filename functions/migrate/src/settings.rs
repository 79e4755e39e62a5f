//! Settings of the function, from its environment.

use shared::config::{Execution, Problems, Reader, Url};
use shared::naming::Names;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment, the schema among them.
    pub names: Names,
    /// The database.
    pub database: Url,
    /// Maximum number of connections to it. Migrations run one after the other: an invocation uses
    /// one connection.
    pub connections: u32,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| Self {
            names: reader.names(),
            database: reader.postgres_url("DATABASE_URL"),
            connections: Execution::read(reader).concurrency,
        })
    }
}
