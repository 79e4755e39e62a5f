//! A program: one event on sale, its categories and their seats.

use serde::{Deserialize, Serialize};

use super::layout::{Layout, SeatPlace};
use crate::message::{
    AdmissionRate, BadValue, CategoryNo, Cents, ProgramId, ProgramVersion, SeatIndex, Shard,
    as_string, word_value,
};

/// Maximum seats of a program, all categories together.
pub const MAX_SEATS_PER_PROGRAM: u32 = 200_000;
/// Maximum categories of a program.
pub const MAX_CATEGORIES: usize = 100;

word_value! {
    /// Whether a program accepts orders.
    ProgramStatus, "program status", "on_sale or stopped";

    /// Orders are accepted.
    OnSale = "on_sale",
    /// No new orders. Existing ones continue.
    Stopped = "stopped",
}

as_string!(ProgramStatus);

/// Seats of one kind and price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Number within the program, from 0.
    pub no: CategoryNo,
    /// Shown to buyers.
    pub name: String,
    /// Its seats.
    #[serde(flatten)]
    pub layout: Layout,
    /// Price of one ticket.
    #[serde(rename = "price_cents")]
    pub price: Cents,
}

/// A stored program. Its JSON is what the shared cache holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Identity.
    pub id: ProgramId,
    /// Its shard in the gate. Stored, so that a popular program can have a shard of its own.
    pub shard: Shard,
    /// Shown to buyers.
    pub title: String,
    /// Raised by every change.
    pub version: ProgramVersion,
    /// Whether a program accepts orders.
    pub status: ProgramStatus,
    /// Time to pay, ms.
    pub pay_window_ms: i64,
    /// Maximum live tickets of one buyer.
    pub user_limit: u32,
    /// How fast its waiting room admits buyers, who may order only then; `None`: it has none. An
    /// earlier version, which ignores the member, may share the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admissions_per_second: Option<AdmissionRate>,
    /// Categories, ascending by number. Their seats do not overlap.
    pub categories: Vec<Category>,
}

impl Program {
    /// The default shard of a program. Spreads consecutive identities evenly.
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

    /// The category of a seat, and the seat's place in it.
    pub fn place(&self, seat: SeatIndex) -> Option<(CategoryNo, SeatPlace)> {
        self.categories
            .iter()
            .find_map(|c| Some((c.no, c.layout.place(seat)?)))
    }
}

/// A category to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCategory {
    /// Shown to buyers: 1 to 100 characters.
    pub name: String,
    /// Rows: 1 to 10,000.
    pub rows: u32,
    /// Seats in a row: 1 to 500.
    pub row_len: u32,
    /// Price of one ticket.
    pub price: Cents,
}

/// A checked program to create: within bounds, seats numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProgram {
    title: String,
    pay_window_ms: i64,
    user_limit: u32,
    categories: Vec<Category>,
}

/// Why a program cannot be created or changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProgram {
    /// Title empty, too long or with control characters.
    #[error("title must be 1 to 200 characters without control characters")]
    Title,
    /// No category, or too many.
    #[error("categories must be 1 to {MAX_CATEGORIES}")]
    Categories,
    /// A category's name is invalid.
    #[error("category {0}: name must be 1 to 100 characters without control characters")]
    CategoryName(usize),
    /// A category's rows or seats are out of bounds.
    #[error("category {0}: {1}")]
    Layout(usize, BadValue),
    /// Too many seats in all.
    #[error("a program has at most {MAX_SEATS_PER_PROGRAM} seats; these categories have {0}")]
    Seats(u64),
    /// The pay window is out of bounds.
    #[error("the pay window must be 1 second to 24 hours")]
    PayWindow,
    /// The limit per user is out of bounds.
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
    /// Checks everything and numbers categories and seats in the given order.
    pub fn new(
        title: String,
        categories: Vec<NewCategory>,
        pay_window_ms: i64,
        user_limit: u32,
    ) -> Result<Self, BadProgram> {
        check_title(&title)?;
        check_pay_window(pay_window_ms)?;
        check_user_limit(user_limit)?;
        check_size(categories.iter().map(|c| (c.rows, c.row_len)))?;
        let first = SeatIndex::new(0).map_err(|e| BadProgram::Layout(0, e))?;
        Ok(Self {
            title,
            pay_window_ms,
            user_limit,
            categories: numbered(categories, 0, first)?,
        })
    }

    /// The numbered categories.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The program as stored under an identity: version 1, on sale.
    pub fn stored(self, id: ProgramId, shard: Shard) -> Program {
        Program {
            id,
            shard,
            title: self.title,
            version: ProgramVersion::FIRST,
            status: ProgramStatus::OnSale,
            pay_window_ms: self.pay_window_ms,
            user_limit: self.user_limit,
            admissions_per_second: None,
            categories: self.categories,
        }
    }
}

/// Numbers new categories from `first_no` and their seats from `first`, in the given order.
pub(super) fn numbered(
    categories: Vec<NewCategory>,
    first_no: usize,
    first: SeatIndex,
) -> Result<Vec<Category>, BadProgram> {
    let mut first = first.get();
    let mut numbered = Vec::with_capacity(categories.len());
    for (n, c) in (first_no..).zip(categories) {
        check_category_name(n, &c.name)?;
        let layout = SeatIndex::new(first).and_then(|first| Layout::new(first, c.rows, c.row_len));
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
    Ok(numbered)
}

/// Checks the number of categories and of seats, given rows and seats per row of each category.
pub(super) fn check_size(
    categories: impl Iterator<Item = (u32, u32)> + Clone,
) -> Result<(), BadProgram> {
    if !(1..=MAX_CATEGORIES).contains(&categories.clone().count()) {
        return Err(BadProgram::Categories);
    }
    let seats = categories
        .map(|(rows, row_len)| u64::from(rows) * u64::from(row_len))
        .fold(0, u64::saturating_add);
    if seats > u64::from(MAX_SEATS_PER_PROGRAM) {
        return Err(BadProgram::Seats(seats));
    }
    Ok(())
}

pub(super) fn check_title(title: &str) -> Result<(), BadProgram> {
    check(printable(title, 200), BadProgram::Title)
}

pub(super) fn check_category_name(category: usize, name: &str) -> Result<(), BadProgram> {
    check(printable(name, 100), BadProgram::CategoryName(category))
}

pub(super) fn check_pay_window(ms: i64) -> Result<(), BadProgram> {
    check((1_000..=86_400_000).contains(&ms), BadProgram::PayWindow)
}

pub(super) fn check_user_limit(tickets: u32) -> Result<(), BadProgram> {
    check((1..=1000).contains(&tickets), BadProgram::UserLimit)
}

fn check(holds: bool, otherwise: BadProgram) -> Result<(), BadProgram> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// 1 to `max` characters without control characters. Postgres cannot store NUL.
fn printable(text: &str, max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control)
}
