//! The seats that a buyer selects, whether the program allows them, and their price.

use super::program::{Program, ProgramStatus};
use crate::message::{BadValue, CategoryNo, Cents, MAX_SEATS_PER_ORDER, SeatIndex};

/// A selection of seats: chosen seats, or the best adjacent ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatSelection {
    /// Exactly these seats: 1 to 20, ascending, no repeats.
    Seats {
        /// Their category.
        category: CategoryNo,
        /// The seats.
        seats: Vec<SeatIndex>,
    },
    /// Any `count` adjacent seats of one row: 1 to 20.
    Best {
        /// The category.
        category: CategoryNo,
        /// Number of seats.
        count: u32,
    },
}

impl SeatSelection {
    /// Chosen seats in any order. Refuses an empty list, more than 20 and repeats.
    pub fn seats(category: CategoryNo, mut seats: Vec<SeatIndex>) -> Result<Self, BadValue> {
        seats.sort_unstable();
        let repeats = seats.windows(2).any(|w| w[0] == w[1]);
        if seats.is_empty() || seats.len() > MAX_SEATS_PER_ORDER || repeats {
            return Err(BadValue {
                what: "seats",
                rule: "1 to 20, each named once",
            });
        }
        Ok(Self::Seats { category, seats })
    }

    /// The best `count` adjacent seats: 1 to 20.
    pub fn best(category: CategoryNo, count: u32) -> Result<Self, BadValue> {
        if count == 0 || count as usize > MAX_SEATS_PER_ORDER {
            return Err(BadValue {
                what: "count",
                rule: "1 to 20",
            });
        }
        Ok(Self::Best { category, count })
    }

    /// The category.
    pub const fn category(&self) -> CategoryNo {
        match self {
            Self::Seats { category, .. } | Self::Best { category, .. } => *category,
        }
    }

    /// Number of tickets.
    pub fn tickets(&self) -> u32 {
        match self {
            Self::Seats { seats, .. } => seats.len() as u32,
            Self::Best { count, .. } => *count,
        }
    }
}

/// The price of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Price of one ticket.
    pub unit_price: Cents,
    /// Price of the order.
    pub amount: Cents,
}

/// Why a program refuses a selection, before any seat is reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The sale has stopped.
    #[error("the sale of this program has stopped")]
    SaleStopped,
    /// The program has no such category.
    #[error("the program has no category {0}")]
    NoSuchCategory(CategoryNo),
    /// The category has no such seat.
    #[error("category {1} has no seat {0}")]
    NoSuchSeat(SeatIndex, CategoryNo),
    /// More adjacent seats than a row has.
    #[error("a row of this category has {0} seats")]
    RowTooShort(u32),
    /// More tickets than a buyer may hold.
    #[error("a buyer may hold {0} tickets of this program")]
    OverLimit(u32),
    /// The amount is out of bounds.
    #[error(transparent)]
    Amount(#[from] BadValue),
}

/// Checks a selection against the program and prices it. The gate decides whether the seats are
/// free.
pub fn quote(program: &Program, selection: &SeatSelection) -> Result<Quote, Refusal> {
    if program.status != ProgramStatus::OnSale {
        return Err(Refusal::SaleStopped);
    }
    let no = selection.category();
    let category = program.category(no).ok_or(Refusal::NoSuchCategory(no))?;
    match selection {
        SeatSelection::Seats { seats, .. } => {
            if let Some(seat) = seats.iter().find(|s| category.layout.place(**s).is_none()) {
                return Err(Refusal::NoSuchSeat(*seat, no));
            }
        }
        SeatSelection::Best { count, .. } if *count > category.layout.row_len() => {
            return Err(Refusal::RowTooShort(category.layout.row_len()));
        }
        SeatSelection::Best { .. } => {}
    }
    if !within_limit(0, selection.tickets(), program.user_limit) {
        return Err(Refusal::OverLimit(program.user_limit));
    }
    Ok(Quote {
        unit_price: category.price,
        amount: category.price.times(selection.tickets() as usize)?,
    })
}

/// The limit rule: a buyer with `held` live tickets may take `more`.
pub const fn within_limit(held: u32, more: u32, limit: u32) -> bool {
    match held.checked_add(more) {
        Some(total) => total <= limit,
        None => false,
    }
}
