//! Roll-up arithmetic of API calls: calls become sums by minute, route, status and client. Pure.
//!
//! ```text
//! calls --minute_of--> minute --Labels (caps)--> cell (minute, route, status, client) --Aggregate--> calls, time, histogram
//! ```
//!
//! Promises:
//! - Adding is all there is to it: in whatever order and in whatever batches calls are added, the sums are the same.
//! - A minute has at most so many routes and so many clients as [`Caps`] says, and one more, [`OTHER`], for all beyond them: nobody can
//!   make rows without end by calling under ever new names. Which names beyond the cap are kept depends on who came first; the sums of a
//!   minute do not.

mod aggregate;
mod labels;
mod roll_up;

#[cfg(test)]
mod tests;

pub use aggregate::{Aggregate, BUCKET_BOUNDS_US, BUCKETS};
pub use labels::{Caps, Labels, OTHER};
pub use roll_up::{Cell, Minute, RollUp, counted_at_ms};
