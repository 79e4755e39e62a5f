//! The rules of a sale. Pure: no clock, no I/O, no randomness. Time is an argument, decisions are
//! return values.
//!
//! In the order in which an order passes them:
//!
//! 1. [`Program`]: an event on sale, with its categories of seats ([`NewProgram`] checks a new one,
//!    [`ProgramChange`] a change, [`SeatAddition`] more seats);
//! 2. [`Layout`]: how the seats of a category are cut into chunks of whole rows;
//! 3. [`SeatRanges`]: sets of seats, such as those that an operator blocks;
//! 4. [`SeatSelection`] and [`quote`]: the seats that a buyer selects, whether the program allows
//!    them, and their price;
//! 5. [`Windows`], [`GateClock`] and [`stored_pay_by`]: the time limits, and the clocks that
//!    measure them;
//! 6. [`Status`]: the states of an order and their transitions;
//! 7. [`RowRetention`]: how long the rows of ended orders are kept.
//!
//! Before all of these, where a program has a waiting room, an [`admission_round`] admits buyers.
//!
//! Adapters apply these decisions (`gate` in Redis, `store` in Postgres).

mod addition;
mod change;
mod layout;
mod program;
mod ranges;
mod retention;
mod selection;
mod status;
mod times;
mod waiting_room;

#[cfg(test)]
mod tests;

pub use addition::{BadAddition, MoreRows, SeatAddition};
pub use change::{CategoryChange, ProgramChange};
pub use layout::{CHUNK_SEATS, Layout, MAX_ROW_LEN, MAX_ROWS, SeatPlace};
pub use program::{
    BadProgram, Category, MAX_CATEGORIES, MAX_SEATS_PER_PROGRAM, NewCategory, NewProgram, Program,
    ProgramStatus,
};
pub use ranges::{BadRange, SeatRange, SeatRanges};
pub use retention::{LOG_DAYS, RowRetention, deletable_before_ms, is_storable};
pub use selection::{Quote, Refusal, SeatSelection, quote, within_limit};
pub use status::Status;
pub use times::{GateClock, Windows, WindowsError, key_ttl_ms, stored_pay_by};
pub use waiting_room::{
    BacklogLimit, CREDIT_MS, OrderBacklog, Round, RoundState, admission_round, estimated_wait,
    next_look,
};
