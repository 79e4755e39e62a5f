//! Adding entries within bounds.

use redis_link::{Call, InvalidArgument, Link, LinkError};

use super::entry::EntryId;
use super::scripts;

/// Bounds of a stream's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    keep: u64,
    max: u64,
}

impl Bounds {
    /// The stream keeps the last `keep` entries (up to about 200 more), and all that some group has
    /// not acknowledged, up to `max`. `max` must exceed `keep` by at least 200.
    pub fn new(keep: u64, max: u64) -> Result<Self, InvalidArgument> {
        let holds = max >= keep.saturating_add(200) && max <= 1 << 50;
        let rule = "a maximum of at least 200 above the entries kept";
        InvalidArgument::unless(holds, "bounds of a stream", rule)?;
        Ok(Self { keep, max })
    }
}

/// The result of publishing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an entry that found the stream full was not added"]
pub enum Published {
    /// The entry was added.
    At(EntryId),
    /// The entry was not added: the stream is full, and some group has not acknowledged its oldest
    /// entries. Keep the entry and try again when that group has caught up.
    Full {
        /// Entries in the stream.
        entries: u64,
        /// The group that is furthest behind.
        held_by: String,
    },
}

/// Publishes to one stream. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    link: Link,
    key: String,
    bounds: Bounds,
}

impl Publisher {
    /// A publisher to the stream with this key. The first entry creates the stream.
    pub fn new(link: Link, key: &str, bounds: Bounds) -> Self {
        Self {
            link,
            key: key.to_owned(),
            bounds,
        }
    }

    /// Adds an entry of these fields, at least one. When a reply is lost the entry may be added
    /// twice. A full stream raises the alarm `stream_full`.
    pub async fn publish(&self, fields: &[(&str, &str)]) -> Result<Published, LinkError> {
        let mut call = Call::new(&scripts::PUBLISH, &self.key)
            .arg(self.bounds.keep)
            .arg(self.bounds.max);
        for (name, value) in fields {
            call.push(*name);
            call.push(*value);
        }
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "ADDED" => Ok(Published::At(reply.parse()?)),
            "FULL" => {
                let entries = reply.parse()?;
                let held_by = reply.word()?;
                tracing::error!(
                    alarm = "stream_full",
                    stream = %self.key,
                    entries,
                    held_by,
                    "the stream is full: entries are refused until this group has acknowledged \
                     more (or is removed: XGROUP DESTROY)"
                );
                Ok(Published::Full { entries, held_by })
            }
            other => Err(reply.unexpected(other)),
        }
    }
}
