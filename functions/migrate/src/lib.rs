//! Migrate: creates an environment's schema and tables, or brings them up to date. The work itself is `shared::store`'s.

use shared::config::{Problems, Reader, Url};
use shared::naming::Names;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The environment's names: they give the schema.
    pub names: Names,
    /// The database.
    pub database: Url,
}

impl Settings {
    /// Reads all of them, or says everything that is wrong.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let names = reader.names();
        let database = reader.postgres_url("DATABASE_URL");
        reader.finish(|| {
            Some(Self {
                names: names?,
                database: database?,
            })
        })
    }
}
