//! Settings of the cache-invalidator, from the environment; template.yaml sets them.

use shared::access::{AccessSettings, Needed};
use shared::cache::ProgramStreams;
use shared::config::{Problems, Reader};
use shared::naming::Names;

/// Settings of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Names of the environment.
    pub names: Names,
    /// The Redis of caches and streams, and the streams.
    pub streams: ProgramStreams,
    /// Certificates and logins.
    pub access: AccessSettings,
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        let streams = ProgramStreams::read(reader);
        let needed = Needed {
            logins: vec![streams.redis.login.clone()],
            ..Needed::default()
        };
        reader.finish(|| Self {
            names: reader.names(),
            streams,
            access: AccessSettings::read(reader, needed),
        })
    }
}
