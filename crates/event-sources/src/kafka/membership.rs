//! Which member of its consumer group a mapping is. No clock, no randomness: both are parameters.
//!
//! A host is a static member, so that after a kill its successor takes over at once. Two members of one name fence each other: each
//! join shuts the other one out. A member is also fenced without another one, when the group's coordinator lost it (a broker that was
//! killed) and receives a commit of its past. So a mapping that is fenced joins again under its name; one that is fenced again
//! within [`FENCED_AGAIN_WITHIN`] shares its name with another process, and goes on under a name of its own.

use std::time::{Duration, Instant};

/// Fenced twice within this time, a name counts as taken.
pub const FENCED_AGAIN_WITHIN: Duration = Duration::from_secs(60);

/// A mapping's way to be a member.
#[derive(Debug, Default)]
pub struct Membership {
    fenced: Option<Instant>,
    own: Option<u32>,
}

impl Membership {
    /// The name to join under. `host_id`: the host's, the same after a restart.
    pub fn of(&self, host_id: &str) -> String {
        self.own
            .map_or_else(|| host_id.to_owned(), |own| format!("{host_id}-{own:08x}"))
    }

    /// The group gives the member of this name nothing: it joins under another one. `random`: as for [`Self::fenced`].
    pub fn leaves_its_name(&mut self, random: u32) {
        self.own = Some(random);
    }

    /// The membership was taken over. `random`: tells a name of its own from every other.
    pub fn fenced(&mut self, now: Instant, random: u32) {
        let before = self.fenced.replace(now);
        if before.is_some_and(|before| now.saturating_duration_since(before) < FENCED_AGAIN_WITHIN)
        {
            self.own = Some(random);
        }
    }
}
