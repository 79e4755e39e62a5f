//! The protections of the protocol, and their removal in the model.

/// A protection. The model can do without any one of them.
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
    /// The sweep's audit of the seat map.
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
