//! Bounded sets of names.

use std::collections::BTreeSet;

/// The name of all routes or clients beyond the cap.
pub const OTHER: &str = "other";

/// Maximum numbers of names per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Routes, each with its method.
    pub routes: usize,
    /// Clients.
    pub clients: usize,
}

/// The names of a minute: the first ones, up to the cap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels(BTreeSet<String>);

impl Labels {
    /// From stored names; [`OTHER`] is left out.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().filter(|name| name != OTHER).collect())
    }

    /// The name to count under: itself if it is known or the cap is not reached, else [`OTHER`].
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
