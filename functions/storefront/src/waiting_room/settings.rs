//! Settings of waiting rooms.

use std::time::Duration;

use shared::config::Reader;
use shared::gate::RoomLimits;
use shared::sale::BacklogLimit;

/// Settings of the waiting rooms of all programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomSettings {
    /// Times and size.
    pub limits: RoomLimits,
    /// When order-create counts as behind, so that no buyer is admitted.
    pub backlog: BacklogLimit,
}

impl RoomSettings {
    /// Reads the settings. `stall`: how long order-create may not move.
    pub fn read(reader: &Reader, stall: Duration) -> Self {
        Self {
            limits: RoomLimits {
                patience: reader.seconds_or("WAITING_ROOM_PATIENCE_SECONDS", 10..=3600, 120),
                admission: reader.seconds_or("WAITING_ROOM_ADMISSION_SECONDS", 10..=86_400, 600),
                places: reader.integer_or("WAITING_ROOM_PLACES", 1..=1_000_000, 100_000),
            },
            backlog: BacklogLimit {
                unread: reader.integer_or("WAITING_ROOM_UNREAD", 1..=1_000_000, 1_000),
                stall_ms: u64::try_from(stall.as_millis()).unwrap_or(u64::MAX),
            },
        }
    }
}
