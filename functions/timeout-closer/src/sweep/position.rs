//! Where the round over all programs' seats goes on. Pure but for its text in Postgres.

use std::fmt;
use std::str::FromStr;

/// A chunk of the seat map of a program: the next one to compare. Ordered as the round goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The program's identity; one that is gone stands for the next there is.
    pub(super) program: i64,
    /// Number of the category.
    pub(super) category: u16,
    /// Chunk within the category.
    pub(super) chunk: u32,
}

impl Position {
    /// The first chunk of whatever comes after a program.
    pub(super) const fn after(program: i64) -> Self {
        Self {
            program: program.saturating_add(1),
            category: 0,
            chunk: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.program, self.category, self.chunk)
    }
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let read = |part: Option<&str>| {
            part.and_then(|part| part.parse::<i64>().ok())
                .filter(|n| *n >= 0)
        };
        let (program, category, chunk) =
            (read(parts.next()), read(parts.next()), read(parts.next()));
        match (
            program,
            category.map(u16::try_from),
            chunk.map(u32::try_from),
            parts.next(),
        ) {
            (Some(program), Some(Ok(category)), Some(Ok(chunk)), None) => Ok(Self {
                program,
                category,
                chunk,
            }),
            _ => Err(format!("{text:?} is no program:category:chunk")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_orders_as_the_round_goes() {
        let at = |program, category, chunk| Position {
            program,
            category,
            chunk,
        };
        assert_eq!("17:3:250".parse(), Ok(at(17, 3, 250)));
        assert_eq!(at(17, 3, 250).to_string(), "17:3:250");
        assert!(at(17, 3, 250) < at(17, 4, 0) && at(17, 4, 0) < Position::after(17));
        for bad in ["", "17", "17:3", "17:3:x", "-1:0:0", "17:3:2:5"] {
            assert!(bad.parse::<Position>().is_err(), "{bad:?}");
        }
    }
}
