//! Bounded sets of names.

use std::collections::BTreeSet;

/// Where all calls go whose route or client is beyond the cap.
pub const OTHER: &str = "other";

/// How many different names a minute may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Routes, each with its method.
    pub routes: usize,
    /// Clients.
    pub clients: usize,
}

/// Labels that a minute has already: the first ones that came, up to the cap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(BTreeSet<String>);

impl Labels {
    /// Of names that are stored already. [`OTHER`] is none.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().filter(|name| name != OTHER).collect())
    }

    /// The name to count under: itself if it is known or there is room, else [`OTHER`].
    pub(super) fn admit(&mut self, name: &str, cap: usize) -> String {
        if self.0.contains(name) {
            return name.to_owned();
        }
        if name == OTHER || self.0.len() >= cap {
            return OTHER.to_owned();
        }
        self.0.insert(name.to_owned());
        name.to_owned()
    }
}
