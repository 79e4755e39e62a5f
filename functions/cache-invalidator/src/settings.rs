//! Settings of the cache-invalidator, from the environment; template.yaml sets them.

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
}

impl Settings {
    /// Reads all of them, or reports all problems.
    pub fn read(reader: &Reader) -> Result<Self, Problems> {
        reader.finish(|| Self {
            names: reader.names(),
            streams: ProgramStreams::read(reader),
        })
    }
}
