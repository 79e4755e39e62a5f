//! Adding entries, within bounds.

use crate::link::{Call, Link, LinkError};
use crate::message::BadValue;
use crate::naming::Names;

use super::entry::EntryId;
use super::scripts;

/// How long a stream may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    keep: u64,
    most: u64,
}

impl Bounds {
    /// About `keep` entries (up to some 200 more) are kept for readers that want to look back, and all that some group has not
    /// acknowledged, up to `most`. `most` must exceed `keep` by at least 200.
    pub fn new(keep: u64, most: u64) -> Result<Self, BadValue> {
        if most >= keep.saturating_add(200) && most <= 1 << 50 {
            Ok(Self { keep, most })
        } else {
            Err(BadValue {
                what: "bounds of a stream",
                rule: "the most entries at least 200 above those kept",
            })
        }
    }
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "an entry that found the stream full was not added"]
pub enum Published {
    /// It is in the stream.
    At(EntryId),
    /// It was not added, nothing was lost: the stream holds as much as it may, and some group has not acknowledged its oldest
    /// entries. Keep what was to be published and try again once that group has caught up.
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
    /// To the stream of a name. It needs no creating.
    pub fn new(link: Link, names: &Names, stream: &str, bounds: Bounds) -> Self {
        Self {
            link,
            key: names.stream(stream),
            bounds,
        }
    }

    /// Adds an entry of these fields, at least one. At least once: where an answer is lost it may be added twice.
    ///
    /// A full stream raises the alarm `stream_full`.
    pub async fn publish(&self, fields: &[(&str, &str)]) -> Result<Published, LinkError> {
        let mut call = Call::new(&scripts::PUBLISH, &self.key)
            .arg(self.bounds.keep)
            .arg(self.bounds.most);
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
                    "nothing is published until this group has read on (or is removed: XGROUP DESTROY)"
                );
                Ok(Published::Full { entries, held_by })
            }
            other => Err(reply.unexpected(other)),
        }
    }
}
