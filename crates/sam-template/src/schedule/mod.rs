//! Schedule expressions: `rate(..)`, `cron(..)` and `at(..)`, and the next time at which one fires.
//!
//! Time is a parameter; only [`zone`] reads files, those of the system's time zone database.

mod cron;
mod error;
mod expression;
mod field;
mod shape;

#[cfg(test)]
mod cron_tests;
#[cfg(test)]
mod expression_tests;

pub use cron::Calendar;
pub use error::ScheduleError;
pub use expression::{Expression, instant, zone};
