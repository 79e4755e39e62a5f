//! The seat layout of a category: rows of equal length, cut into chunks of whole rows.
//!
//! The gate stores one byte per seat and one string per chunk. A chunk holds whole rows and at most
//! [`CHUNK_SEATS`] seats. So a search for adjacent seats, which lie within one row, reads little in
//! a hall of any size and never joins two chunks.

use serde::{Deserialize, Serialize};

use crate::message::{BadValue, SeatIndex, checked_json};

/// Maximum seats of a chunk.
pub const CHUNK_SEATS: u32 = 2048;
/// Maximum seats of a row. Below [`CHUNK_SEATS`], so a chunk holds at least one row.
pub const MAX_ROW_LEN: u32 = 500;
/// Maximum rows of a category.
pub const MAX_ROWS: u32 = 10_000;

/// The seats of one category: `rows` rows of `row_len`, numbered from `first` without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Layout {
    #[serde(rename = "first_seat")]
    first: SeatIndex,
    rows: u32,
    row_len: u32,
}

checked_json!(Layout);

/// The place of a seat: its chunk, and its byte within the chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeatPlace {
    /// Number of the chunk within the category, from 0.
    pub chunk: u32,
    /// Offset within the chunk, from 0.
    pub offset: u32,
}

impl Layout {
    /// 1 to 10,000 rows of 1 to 500 seats, whose indexes are all valid.
    pub fn new(first: SeatIndex, rows: u32, row_len: u32) -> Result<Self, BadValue> {
        if !(1..=MAX_ROWS).contains(&rows) {
            return Err(BadValue {
                what: "rows",
                rule: "1 to 10000",
            });
        }
        if !(1..=MAX_ROW_LEN).contains(&row_len) {
            return Err(BadValue {
                what: "seats per row",
                rule: "1 to 500",
            });
        }
        // Cannot overflow: 10^6 + 10^4 * 500.
        SeatIndex::new(first.get() + rows * row_len - 1)?;
        Ok(Self {
            first,
            rows,
            row_len,
        })
    }

    fn check(&self) -> Result<(), BadValue> {
        Self::new(self.first, self.rows, self.row_len).map(drop)
    }

    /// Index of the first seat.
    pub const fn first(self) -> SeatIndex {
        self.first
    }

    /// Number of rows.
    pub const fn rows(self) -> u32 {
        self.rows
    }

    /// Seats in a row.
    pub const fn row_len(self) -> u32 {
        self.row_len
    }

    /// Number of seats.
    pub const fn seats(self) -> u32 {
        self.rows * self.row_len
    }

    /// Rows of a chunk. The last chunk may have fewer.
    pub const fn chunk_rows(self) -> u32 {
        // At least 4, because a row has at most 500 seats.
        CHUNK_SEATS / self.row_len
    }

    /// Number of chunks.
    pub const fn chunks(self) -> u32 {
        self.rows.div_ceil(self.chunk_rows())
    }

    /// Seats of a chunk; 0 if it does not exist.
    pub fn chunk_seats(self, chunk: u32) -> u32 {
        let per_chunk = self.chunk_rows() * self.row_len;
        self.seats()
            .saturating_sub(chunk.saturating_mul(per_chunk))
            .min(per_chunk)
    }

    /// The place of a seat; `None` if it is not in this category.
    pub fn place(self, seat: SeatIndex) -> Option<SeatPlace> {
        let nth = seat
            .get()
            .checked_sub(self.first.get())
            .filter(|n| *n < self.seats())?;
        let per_chunk = self.chunk_rows() * self.row_len;
        Some(SeatPlace {
            chunk: nth / per_chunk,
            offset: nth % per_chunk,
        })
    }

    /// The seat at a place; `None` if there is none.
    pub fn seat(self, place: SeatPlace) -> Option<SeatIndex> {
        if place.offset >= self.chunk_seats(place.chunk) {
            return None;
        }
        let nth = place.chunk * self.chunk_rows() * self.row_len + place.offset;
        SeatIndex::new(self.first.get() + nth).ok()
    }

    /// All seats, ascending.
    pub fn all(self) -> impl Iterator<Item = SeatIndex> {
        let first = self.first.get();
        (first..first + self.seats()).filter_map(|n| SeatIndex::new(n).ok())
    }
}
