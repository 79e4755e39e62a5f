//! The protections of the order protocol, each of which a build of its own can remove to show that
//! a test needs it (`scripts/protections`, docs/reference/protections.md). In every other build
//! nothing can be removed.

/// A protection of the order protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// The void row of an order that may have been published (fence.sql).
    Fence,
    /// Every step compares the nonce as well as the number.
    Nonce,
    /// Only the order that owns a seat frees it (settle.lua).
    OwnerCheck,
    /// The primary key of `order_seats`.
    SeatKey,
    /// Only the holder of its lease completes a timeout entry (delay/fence.lua).
    LeaseToken,
    /// An ended order does not get its seats back (settle.lua).
    Tombstone,
    /// What is stored in a cache is not older than what was announced (cache/lua/put.lua).
    VersionFloor,
    /// Changes of programs are listed for the sweep in their own transaction (`outbox_add.sql`).
    Outbox,
    /// The jobs of the sweep but the audit: overdue rows, dirty rows, payments that wait.
    Sweep,
    /// The sweep's audit of the gate.
    Audit,
    /// A lost gate stays closed until order-create has passed the barriers.
    ClosedRebuild,
    /// A changed row is listed for the sweep until the gate is settled by it.
    DirtyFlag,
    /// A row that changed while it was settled is settled again (settled.sql, `create_end.sql`).
    NewerVersion,
    /// A filling that was delayed past another loss is refused (`install_begin.lua`).
    Claim,
}

impl Protection {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Fence,
        Self::Nonce,
        Self::OwnerCheck,
        Self::SeatKey,
        Self::LeaseToken,
        Self::Tombstone,
        Self::VersionFloor,
        Self::Outbox,
        Self::Sweep,
        Self::Audit,
        Self::ClosedRebuild,
        Self::DirtyFlag,
        Self::NewerVersion,
        Self::Claim,
    ];

    /// Its name in `tests/model/removals` and in the reference.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::Nonce => "nonce",
            Self::OwnerCheck => "owner-check",
            Self::SeatKey => "seat-key",
            Self::LeaseToken => "lease-token",
            Self::Tombstone => "tombstone",
            Self::VersionFloor => "version-floor",
            Self::Outbox => "outbox",
            Self::Sweep => "sweep",
            Self::Audit => "audit",
            Self::ClosedRebuild => "closed-rebuild",
            Self::DirtyFlag => "dirty-flag",
            Self::NewerVersion => "newer-version",
            Self::Claim => "claim",
        }
    }
}

#[cfg(removable_protections)]
#[path = "../../tests/model/removals/removal.rs"]
mod removal;

#[cfg(all(removable_protections, feature = "postgres"))]
pub(crate) use removal::edited as statement;

/// Whether the protection is removed: never, but in the build of `scripts/protections`.
#[cfg(not(removable_protections))]
pub const fn removed(_: Protection) -> bool {
    false
}

/// Whether the protection is removed.
#[cfg(removable_protections)]
pub fn removed(protection: Protection) -> bool {
    removal::is_removed(protection.name())
}

/// The text of a statement or migration, which a removal may edit.
#[cfg(all(not(removable_protections), feature = "postgres"))]
pub(crate) const fn statement(_name: &str, text: &'static str) -> &'static str {
    text
}
