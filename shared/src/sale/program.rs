//! A program: one event on sale, its categories and their seats.

use std::fmt;
use std::str::FromStr;

use super::layout::{Layout, SeatPlace};
use crate::message::{BadValue, CategoryNo, Cents, ProgramId, ProgramVersion, SeatIndex, Shard};

/// Most seats of a program, all categories together.
pub const MAX_SEATS_PER_PROGRAM: u32 = 200_000;
/// Most categories of a program.
pub const MAX_CATEGORIES: usize = 100;

/// Whether orders are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProgramStatus {
    /// Orders are taken.
    OnSale,
    /// No new orders; existing ones run their course.
    Stopped,
}

impl ProgramStatus {
    /// As Postgres and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OnSale => "on_sale",
            Self::Stopped => "stopped",
        }
    }
}

impl fmt::Display for ProgramStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ProgramStatus {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        match s {
            "on_sale" => Ok(Self::OnSale),
            "stopped" => Ok(Self::Stopped),
            _ => Err(BadValue {
                what: "program status",
                rule: "on_sale or stopped",
            }),
        }
    }
}

/// Seats of one kind and price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its number within the program, from 0.
    pub no: CategoryNo,
    /// What buyers call it.
    pub name: String,
    /// Where its seats are.
    pub layout: Layout,
    /// Price of one ticket.
    pub price: Cents,
}

/// A stored program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Identity.
    pub id: ProgramId,
    /// Where the gate keeps it. Stored, so that a hot program can be given a shard of its own.
    pub shard: Shard,
    /// What buyers call it.
    pub title: String,
    /// Raised by every change.
    pub version: ProgramVersion,
    /// Whether orders are taken.
    pub status: ProgramStatus,
    /// How long a buyer has to pay, milliseconds.
    pub pay_window_ms: i64,
    /// Most live tickets of one buyer.
    pub user_limit: u32,
    /// Categories, ascending by number; their seats do not overlap.
    pub categories: Vec<Category>,
}

impl Program {
    /// The shard a program gets unless it is given another: spreads consecutive identities evenly.
    pub fn usual_shard(id: ProgramId) -> Shard {
        let n = id.get().rem_euclid(i64::from(Shard::COUNT)) as u8;
        Shard::all()
            .nth(usize::from(n))
            .unwrap_or_else(|| unreachable!("{n} is below the number of shards"))
    }

    /// A category by its number.
    pub fn category(&self, no: CategoryNo) -> Option<&Category> {
        self.categories.iter().find(|c| c.no == no)
    }

    /// The category of a seat, and where in it the gate keeps the seat.
    pub fn place(&self, seat: SeatIndex) -> Option<(CategoryNo, SeatPlace)> {
        self.categories
            .iter()
            .find_map(|c| Some((c.no, c.layout.place(seat)?)))
    }
}

/// A category that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCategory {
    /// What buyers call it: 1 to 100 characters.
    pub name: String,
    /// Rows: 1 to 10,000.
    pub rows: u32,
    /// Seats in a row: 1 to 500.
    pub row_len: u32,
    /// Price of one ticket.
    pub price: Cents,
}

/// A checked program that is to be created: seats are numbered, bounds hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProgram {
    title: String,
    pay_window_ms: i64,
    user_limit: u32,
    categories: Vec<Category>,
}

/// Why a program cannot be created, or changed so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProgram {
    /// Title empty, too long or with control characters.
    #[error("title must be 1 to 200 characters without control characters")]
    Title,
    /// No category, or too many.
    #[error("categories must be 1 to {MAX_CATEGORIES}")]
    Categories,
    /// A category's name.
    #[error("category {0}: name must be 1 to 100 characters without control characters")]
    CategoryName(usize),
    /// A category's rows or seats.
    #[error("category {0}: {1}")]
    Layout(usize, BadValue),
    /// Too many seats together.
    #[error("a program has at most {MAX_SEATS_PER_PROGRAM} seats; these categories have {0}")]
    Seats(u64),
    /// The pay window.
    #[error("the pay window must be 1 second to 24 hours")]
    PayWindow,
    /// The limit per user.
    #[error("the limit of tickets per user must be 1 to 1000")]
    UserLimit,
    /// A change that changes nothing.
    #[error("a change must name something to change")]
    NothingToChange,
    /// A change that names a category twice.
    #[error("category {0} is named twice")]
    CategoryTwice(CategoryNo),
}

impl NewProgram {
    /// Checks everything and numbers categories and seats in the order given.
    pub fn new(
        title: String,
        categories: Vec<NewCategory>,
        pay_window_ms: i64,
        user_limit: u32,
    ) -> Result<Self, BadProgram> {
        check_title(&title)?;
        if categories.is_empty() || categories.len() > MAX_CATEGORIES {
            return Err(BadProgram::Categories);
        }
        check_pay_window(pay_window_ms)?;
        check_user_limit(user_limit)?;
        let seats: u64 = categories
            .iter()
            .map(|c| u64::from(c.rows) * u64::from(c.row_len))
            .fold(0, u64::saturating_add);
        if seats > u64::from(MAX_SEATS_PER_PROGRAM) {
            return Err(BadProgram::Seats(seats));
        }
        let mut first = 0;
        let mut numbered = Vec::with_capacity(categories.len());
        for (n, c) in categories.into_iter().enumerate() {
            check_category_name(n, &c.name)?;
            let layout =
                SeatIndex::new(first).and_then(|first| Layout::new(first, c.rows, c.row_len));
            let layout = layout.map_err(|e| BadProgram::Layout(n, e))?;
            let no = CategoryNo::new(n as u16).map_err(|_| BadProgram::Categories)?;
            first += layout.seats();
            numbered.push(Category {
                no,
                name: c.name,
                layout,
                price: c.price,
            });
        }
        Ok(Self {
            title,
            pay_window_ms,
            user_limit,
            categories: numbered,
        })
    }

    /// What buyers will call it.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// How long a buyer has to pay, milliseconds.
    pub const fn pay_window_ms(&self) -> i64 {
        self.pay_window_ms
    }

    /// Most live tickets of one buyer.
    pub const fn user_limit(&self) -> u32 {
        self.user_limit
    }

    /// The numbered categories.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The program as it is once stored under an identity: version 1, on sale.
    pub fn stored(self, id: ProgramId, shard: Shard) -> Program {
        let Self {
            title,
            pay_window_ms,
            user_limit,
            categories,
        } = self;
        let version = ProgramVersion::FIRST;
        let status = ProgramStatus::OnSale;
        Program {
            id,
            shard,
            title,
            version,
            status,
            pay_window_ms,
            user_limit,
            categories,
        }
    }
}

pub(super) fn check_title(title: &str) -> Result<(), BadProgram> {
    if printable(title, 200) {
        Ok(())
    } else {
        Err(BadProgram::Title)
    }
}

pub(super) fn check_category_name(category: usize, name: &str) -> Result<(), BadProgram> {
    if printable(name, 100) {
        Ok(())
    } else {
        Err(BadProgram::CategoryName(category))
    }
}

pub(super) fn check_pay_window(ms: i64) -> Result<(), BadProgram> {
    if (1_000..=86_400_000).contains(&ms) {
        Ok(())
    } else {
        Err(BadProgram::PayWindow)
    }
}

pub(super) fn check_user_limit(tickets: u32) -> Result<(), BadProgram> {
    if (1..=1000).contains(&tickets) {
        Ok(())
    } else {
        Err(BadProgram::UserLimit)
    }
}

/// 1 to `max` characters, none of them a control character (so no NUL, which Postgres cannot hold).
fn printable(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}
