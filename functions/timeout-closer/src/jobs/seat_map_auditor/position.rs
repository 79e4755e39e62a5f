//! The position of the round over the seats of all programs.

use std::fmt;

/// The next chunk to compare. Ordered as the round proceeds. Stored as `program:category:chunk`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RoundPosition {
    /// The program. If it was deleted, the round continues with the next one.
    pub(super) program: i64,
    /// Number of the category.
    pub(super) category: u16,
    /// Chunk within the category.
    pub(super) chunk: u32,
}

impl RoundPosition {
    /// The first chunk behind a program.
    pub(super) const fn after(program: i64) -> Self {
        Self {
            program: program.saturating_add(1),
            category: 0,
            chunk: 0,
        }
    }

    /// `None` unless the text is three non-negative numbers within the bounds of the fields.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (program, place) = text.split_once(':')?;
        let (category, chunk) = place.split_once(':')?;
        Some(Self {
            program: program.parse().ok().filter(|program| *program >= 0)?,
            category: category.parse().ok()?,
            chunk: chunk.parse().ok()?,
        })
    }
}

impl fmt::Display for RoundPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.program, self.category, self.chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_and_follows_the_round() {
        let at = |program, category, chunk| RoundPosition {
            program,
            category,
            chunk,
        };
        assert_eq!(RoundPosition::parse("17:3:250"), Some(at(17, 3, 250)));
        assert_eq!(at(17, 3, 250).to_string(), "17:3:250");
        assert!(at(17, 3, 250) < at(17, 4, 0) && at(17, 4, 0) < RoundPosition::after(17));
        for bad in ["", "17", "17:3", "17:3:x", "-1:0:0", "17:3:2:5"] {
            assert_eq!(RoundPosition::parse(bad), None, "{bad:?}");
        }
    }
}
