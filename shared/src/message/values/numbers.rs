//! Numbers: categories, seats, money, versions.

use super::{BadValue, bad};

number_values! {
    /// Number of a ticket category within its program, 0..100.
    CategoryNo(u16), 0..100, "category", "0 to 99";

    /// A seat's index within its program, 0..1,000,000. Never changes; new seats are appended.
    SeatIndex(u32), 0..1_000_000, "seat", "0 to 999999";

    /// Money in cents, 0 to 1,000,000,000,000 (ten thousand million units of the currency). Never a
    /// fraction.
    Cents(i64), 0..=1_000_000_000_000, "amount", "0 to 1000000000000 cents";

    /// Version of a program, 1 to 2^53 - 1: raised by every change, never reset. A number in JSON,
    /// exact in JavaScript and in Lua.
    ProgramVersion(i64), 1..1 << 53, "version", "1 to 9007199254740991";

    /// How many buyers a second the waiting room of a program admits, 1 to 500. One script admits
    /// those of two seconds at most.
    AdmissionRate(u32), 1..=500, "admission rate", "1 to 500 buyers a second";
}

as_number!(CategoryNo(u16), { "type": "integer", "minimum": 0, "maximum": 99 });
as_number!(SeatIndex(u32), { "type": "integer", "minimum": 0, "maximum": 999_999 });
as_number!(Cents(i64), { "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000_i64 });
as_number!(ProgramVersion(i64), {
    "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_i64
});
as_number!(AdmissionRate(u32), { "type": "integer", "minimum": 1, "maximum": 500 });
from_digits!(
    ProgramVersion,
    16,
    "version",
    "1 to 9007199254740991 in decimal digits, without leading zeros"
);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// This price times a number of tickets. Fails if the result is out of bounds.
    pub fn times(self, tickets: usize) -> Result<Self, BadValue> {
        let total = i64::try_from(tickets)
            .ok()
            .and_then(|n| self.0.checked_mul(n));
        match total {
            Some(n) => Self::new(n),
            None => bad("amount", "0 to 1000000000000 cents"),
        }
    }
}

impl ProgramVersion {
    /// The version of a program that was just created.
    pub const FIRST: Self = Self(1);
}
