//! Settings of api-data-collector, from the environment; template.yaml sets them.

use std::time::Duration;

use shared::access::{AccessSettings, Needed};
use shared::api_calls::Caps;
use shared::config::{Execution, Problems, Reader, Server};
use shared::naming::Names;

use crate::files::FileSettings;

/// A day, in seconds.
const DAY: u64 = 86_400;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment.
    pub names: Names,
    /// Postgres.
    pub database: Server,
    /// Maximum number of connections to it.
    pub connections: u32,
    /// Maximum numbers of routes and clients per minute and partition.
    pub caps: Caps,
    /// When rows are deleted.
    pub retention: Retention,
    /// Where calls are written as files, if they are.
    pub files: Option<FileSettings>,
    /// Certificates and logins.
    pub access: AccessSettings,
}

/// How long rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Records.
    pub calls: Duration,
    /// Sums.
    pub minutes: Duration,
    /// Interval between deletions of a process.
    pub every: Duration,
    /// Maximum rows of each kind per deletion.
    pub limit: u32,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let days = |variable, default| {
            Duration::from_secs(reader.integer_or(variable, 1..=3_650, default) * DAY)
        };
        let database = reader.postgres("DATABASE");
        let needed = Needed {
            logins: vec![database.login.clone()],
            ..Needed::default()
        };
        reader.finish(|| Self {
            names: reader.names(),
            database,
            access: AccessSettings::read(reader, needed),
            connections: Execution::read(reader).connections(reader, 1),
            caps: Caps {
                routes: reader.integer_or("API_ROUTES_PER_MINUTE", 1..=10_000, 100),
                clients: reader.integer_or("API_CLIENTS_PER_MINUTE", 1..=10_000, 50),
            },
            retention: Retention {
                calls: days("API_CALL_KEEP_DAYS", 7),
                minutes: days("API_STATISTICS_KEEP_DAYS", 400),
                every: reader.seconds_or("API_RETENTION_EVERY_SECONDS", 1..=DAY, 60),
                limit: reader.integer_or("API_RETENTION_LIMIT", 1..=100_000, 5_000),
            },
            files: FileSettings::read(reader),
        })
    }
}
