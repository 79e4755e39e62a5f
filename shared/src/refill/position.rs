//! The position of a filling, as stored in the program's header.

use std::fmt;

use crate::message::{OrderNumber, SeatIndex};

/// Everything before the position is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FillPosition {
    /// Settling surviving reservations. The gate's cursor over the owners of seats.
    Kept(u64),
    /// Merging orders. Orders whose first seat is above this one remain.
    Seats(Option<SeatIndex>),
    /// Restoring clients' keys of ended orders. Orders above this number remain.
    Keys(Option<OrderNumber>),
    /// Only the opening remains.
    Done,
}

impl FillPosition {
    /// The start of every filling.
    pub(super) const FIRST: Self = Self::Kept(0);

    /// Parses the output of [`fmt::Display`]. Empty is the first position; `None` for any other
    /// text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let seat = |n: &str| n.parse().ok().and_then(|n| SeatIndex::new(n).ok());
        match text.split_once(':') {
            None if text.is_empty() => Some(Self::FIRST),
            None if text == "done" => Some(Self::Done),
            Some(("kept", cursor)) => cursor.parse().ok().map(Self::Kept),
            Some(("seats", "")) => Some(Self::Seats(None)),
            Some(("seats", after)) => seat(after).map(|seat| Self::Seats(Some(seat))),
            Some(("keys", "")) => Some(Self::Keys(None)),
            Some(("keys", after)) => after.parse().ok().map(|number| Self::Keys(Some(number))),
            _ => None,
        }
    }
}

impl fmt::Display for FillPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept(cursor) => write!(f, "kept:{cursor}"),
            Self::Seats(None) => f.write_str("seats:"),
            Self::Seats(Some(after)) => write!(f, "seats:{after}"),
            Self::Keys(None) => f.write_str("keys:"),
            Self::Keys(Some(after)) => write!(f, "keys:{after}"),
            Self::Done => f.write_str("done"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let seat = SeatIndex::new(199_999).ok();
        let number = OrderNumber::new(i64::MAX).ok();
        let seats = [
            FillPosition::Kept(u64::MAX),
            FillPosition::Seats(None),
            FillPosition::Seats(seat),
        ];
        let keys = [
            FillPosition::Keys(None),
            FillPosition::Keys(number),
            FillPosition::Done,
        ];
        for position in seats.into_iter().chain(keys) {
            assert_eq!(FillPosition::read(&position.to_string()), Some(position));
        }
        assert_eq!(FillPosition::read(""), Some(FillPosition::FIRST));
        for text in [
            "kept",
            "kept:",
            "seats:x",
            "seats:1000000",
            "keys:0",
            "done:",
            "later:1",
        ] {
            assert_eq!(FillPosition::read(text), None, "{text}");
        }
    }
}
