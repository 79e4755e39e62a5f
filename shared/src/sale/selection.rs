//! What a buyer asks for, whether the program allows it, and what it costs.

use super::program::{Program, ProgramStatus};
use crate::message::{BadValue, CategoryNo, Cents, MAX_SEATS_PER_ORDER, SeatIndex};

/// What a buyer wants: seats chosen by hand, or the best that lie side by side.
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
        /// How many.
        count: u32,
    },
}

impl SeatSelection {
    /// Chosen seats in any order; refuses none, more than 20 and repeats.
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

    /// The category asked for.
    pub const fn category(&self) -> CategoryNo {
        match self {
            Self::Seats { category, .. } | Self::Best { category, .. } => *category,
        }
    }

    /// How many tickets.
    pub fn tickets(&self) -> u32 {
        match self {
            Self::Seats { seats, .. } => seats.len() as u32,
            Self::Best { count, .. } => *count,
        }
    }
}

/// What an order costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// Price of one ticket.
    pub unit_price: Cents,
    /// Price of all.
    pub amount: Cents,
}

/// Why a program refuses a wish before the gate is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Orders are no longer taken.
    #[error("the sale of this program has stopped")]
    SaleStopped,
    /// No such category.
    #[error("the program has no category {0}")]
    NoSuchCategory(CategoryNo),
    /// A seat outside the category.
    #[error("category {1} has no seat {0}")]
    NoSuchSeat(SeatIndex, CategoryNo),
    /// More seats side by side than a row has.
    #[error("a row of this category has {0} seats")]
    RowTooShort(u32),
    /// More tickets than one buyer may ever hold.
    #[error("a buyer may hold {0} tickets of this program")]
    OverLimit(u32),
    /// The amount leaves the bounds of money.
    #[error(transparent)]
    Amount(#[from] BadValue),
}

/// Checks a wish against the program and prices it. Whether the seats are free is the gate's to say.
pub fn quote(program: &Program, want: &SeatSelection) -> Result<Quote, Refusal> {
    if program.status != ProgramStatus::OnSale {
        return Err(Refusal::SaleStopped);
    }
    let no = want.category();
    let category = program.category(no).ok_or(Refusal::NoSuchCategory(no))?;
    match want {
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
    if !within_limit(0, want.tickets(), program.user_limit) {
        return Err(Refusal::OverLimit(program.user_limit));
    }
    Ok(Quote {
        unit_price: category.price,
        amount: category.price.times(want.tickets() as usize)?,
    })
}

/// The limit rule: a buyer who has `have` live tickets may take `want` more.
pub const fn within_limit(have: u32, want: u32, limit: u32) -> bool {
    match have.checked_add(want) {
        Some(total) => total <= limit,
        None => false,
    }
}
