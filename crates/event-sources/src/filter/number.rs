//! Compares JSON numbers exactly: an integer is never rounded to a double.

use std::cmp::Ordering;

/// Whole numbers from -2^63 to 2^64 - 1 exactly, every other number as the nearest double.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Whole(i128),
    Double(f64),
}

/// 2^64: doubles from here on exceed every [`Number::Whole`].
const BEYOND_WHOLE: f64 = 18_446_744_073_709_551_616.0;

impl Number {
    /// `None`: not representable.
    pub(super) fn read(number: &serde_json::Number) -> Option<Self> {
        let whole = number
            .as_i64()
            .map(i128::from)
            .or_else(|| number.as_u64().map(i128::from));
        whole
            .map(Self::Whole)
            .or_else(|| number.as_f64().map(Self::Double))
    }

    /// A double in JSON is never NaN.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a.cmp(&b),
            (Self::Double(a), Self::Double(b)) => doubles(a, b),
            (Self::Whole(a), Self::Double(b)) => against_double(a, b),
            (Self::Double(a), Self::Whole(b)) => against_double(b, a).reverse(),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.compare(*other).is_eq()
    }
}

impl Eq for Number {}

fn doubles(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// Compares the whole part first, then the fraction.
fn against_double(whole: i128, double: f64) -> Ordering {
    if double >= BEYOND_WHOLE {
        return Ordering::Less;
    }
    if double <= -BEYOND_WHOLE {
        return Ordering::Greater;
    }
    let part = double.trunc();
    whole
        .cmp(&(part as i128))
        .then_with(|| doubles(part, double))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::read(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn whole_numbers_are_not_rounded() {
        let ascending = [
            "-1e300",
            "-9223372036854775808",
            "-9007199254740993",
            "-9007199254740992",
            "-1.5",
            "-1",
            "0",
            "0.1",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "18446744073709551616",
            "1e300",
        ];
        for (a, left) in ascending.iter().enumerate() {
            for (b, right) in ascending.iter().enumerate() {
                assert_eq!(
                    number(left).compare(number(right)),
                    a.cmp(&b),
                    "{left} and {right}"
                );
            }
        }
        for (a, b) in [
            ("1", "1.0"),
            ("300", "3e2"),
            ("9007199254740992", "9007199254740992.0"),
            ("0", "-0.0"),
        ] {
            assert_eq!(number(a), number(b), "{a} and {b}");
        }
    }
}
