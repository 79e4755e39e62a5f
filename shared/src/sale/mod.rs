//! The rules of a sale. Pure: no clock, no I/O, no randomness; time comes in as a number and decisions go out as data.
//!
//! Rules, in the order an order meets them:
//!
//! 1. [`Program`]: what is on sale, made of categories of seats ([`NewProgram`] checks one before it is stored,
//!    [`ProgramChange`] what is to change of it);
//! 2. [`Layout`]: how the seats of a category are cut into chunks of whole rows, and where a seat is found;
//! 3. [`SeatSelection`] and [`quote`]: what a buyer asks for, whether the program allows it, and what it costs;
//! 4. [`Windows`], [`GateClock`] and [`stored_pay_by`]: how long each party waits, and by whose clock;
//! 5. [`Status`]: the states of an order and the only ways from one to another.
//!
//! Adapters carry these decisions out (`gate` in Redis, `store` in Postgres) and may not soften them.

mod change;
mod layout;
mod program;
mod selection;
mod status;
mod times;

#[cfg(test)]
mod tests;

pub use change::{CategoryChange, ProgramChange};
pub use layout::{CHUNK_SEATS, Layout, MAX_ROW_LEN, MAX_ROWS, SeatPlace};
pub use program::{
    BadProgram, Category, MAX_CATEGORIES, MAX_SEATS_PER_PROGRAM, NewCategory, NewProgram, Program,
    ProgramStatus,
};
pub use selection::{Quote, Refusal, SeatSelection, quote, within_limit};
pub use status::{Status, UnknownStatus};
pub use times::{GateClock, Windows, WindowsError, key_ttl_ms, stored_pay_by};
