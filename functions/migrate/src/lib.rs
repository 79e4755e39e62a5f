//! Migrate: creates or updates the schema and tables of an environment, by `shared::store`.

use shared::config::{Execution, Problems, Reader, Url};
use shared::naming::Names;
use shared::store::Roles;

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
    /// Roles that are given their rights.
    pub roles: Roles,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| Self {
            names: reader.names(),
            database: reader.postgres_url("DATABASE_URL"),
            connections: Execution::read(reader).concurrency,
            roles: Roles {
                writer: reader.optional_text("DATABASE_WRITER_ROLE"),
                reader: reader.optional_text("DATABASE_READER_ROLE"),
            },
        })
    }
}
