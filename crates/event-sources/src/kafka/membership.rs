//! The name under which a mapping joins its consumer group. No clock, no randomness: both are
//! parameters.
//!
//! A host is a static member, so that its successor takes over at once after a kill. Two members of
//! one name fence each other with each join. A member is also fenced without a second one, when the
//! group's coordinator lost it (its broker was killed) and receives a commit from before. Therefore
//! a fenced mapping joins again under its name. If it is fenced again within
//! [`FENCED_AGAIN_WITHIN`], another process has the same name, and the mapping takes a unique one.

use std::time::{Duration, Instant};

/// A name that is fenced twice within this time belongs to another process.
pub const FENCED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// The membership of a mapping in its group.
#[derive(Debug, Default)]
pub struct Membership {
    fenced: Option<Instant>,
    own: Option<u32>,
}

impl Membership {
    /// The name to join under. `host_id` survives a restart of the host.
    pub fn name(&self, host_id: &str) -> String {
        self.own
            .map_or_else(|| host_id.to_owned(), |own| format!("{host_id}-{own:08x}"))
    }

    /// Takes a unique name, because the group assigns nothing to the member of this name.
    pub fn rename(&mut self, random: u32) {
        self.own = Some(random);
    }

    /// The member was fenced. `random` makes a unique name unique.
    pub fn fenced(&mut self, now: Instant, random: u32) {
        let before = self.fenced.replace(now);
        if before.is_some_and(|before| now.saturating_duration_since(before) < FENCED_AGAIN_WITHIN)
        {
            self.own = Some(random);
        }
    }
}
