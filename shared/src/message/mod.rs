//! The messages between functions, and their values.
//!
//! Every value is checked when it is constructed or decoded. Messages are JSON with a version.
//! Unknown fields are ignored, so that a newer sender can add some.

#[cfg(test)]
mod array_tests;
mod barrier;
mod client;
mod order_requested;
mod program_changed;
#[cfg(test)]
pub(crate) mod published_tests;
mod stream_entry;
mod values;

pub use barrier::Barrier;
pub use order_requested::{Invalid, OrderRequested};
pub use program_changed::{BadChange, ProgramChanged};
pub use stream_entry::StreamEntry;
pub use values::{
    AdmissionRate, BadValue, BodyHash, CallClient, CallId, CallInstance, CallMethod, CallRoute,
    CallUrl, CategoryNo, Cents, IdempotencyKey, MAX_SEATS_PER_ORDER, Nonce, OrderNumber, ProgramId,
    ProgramVersion, SeatIndex, Shard, TraceId, UserId,
};
pub(crate) use values::{Parsed, as_string, checked_json, word_value};
#[cfg(feature = "postgres")]
pub(crate) use values::{from_digits, number_values};
