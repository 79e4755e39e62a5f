//! Settings of the function, from its environment.

use shared::access::{AccessSettings, Needed};
use shared::config::{Execution, Problems, Reader, Server};
use shared::naming::Names;
use shared::store::Roles;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment, the schema among them.
    pub names: Names,
    /// The database.
    pub database: Server,
    /// Maximum number of connections to it. Migrations run one after the other: an invocation uses
    /// one connection.
    pub connections: u32,
    /// Roles that are given their rights.
    pub roles: Roles,
    /// Certificates and logins.
    pub access: AccessSettings,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| {
            let names = reader.names();
            let database = reader.postgres("DATABASE");
            let needed = Needed {
                logins: vec![database.login.clone()],
                ..Needed::default()
            };
            Self {
                names,
                database,
                connections: Execution::read(reader).concurrency,
                roles: Roles {
                    writer: reader.optional_text("DATABASE_WRITER_ROLE"),
                    reader: reader.optional_text("DATABASE_READER_ROLE"),
                },
                access: AccessSettings::read(reader, needed),
            }
        })
    }
}
