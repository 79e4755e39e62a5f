//! The protections of the protocol, any of which the model can do without.

pub use shared::protection::Protection;

/// The protections that are in force: all but the removed ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Kept {
    removed: u16,
}

impl Kept {
    /// All protections.
    pub const ALL: Self = Self { removed: 0 };

    /// Without one more.
    #[must_use]
    pub const fn without(self, protection: Protection) -> Self {
        Self {
            removed: self.removed | 1 << protection as u16,
        }
    }

    /// Whether a protection is in force.
    pub const fn has(self, protection: Protection) -> bool {
        self.removed & 1 << protection as u16 == 0
    }
}
