//! How far the letters of a topic's partition were brought back.
//!
//! A topic's letters cannot be deleted. The committed offset says which letters were looked at; those among them that could not be
//! brought back stand in the commit's metadata (`stays 12,15`), so that one such letter keeps no other back. Pure.

use std::collections::BTreeSet;

/// What the metadata begins with.
const WORD: &str = "stays ";

/// Letters that may stay in one partition: their offsets have to fit in the metadata (`offset.metadata.max.bytes` of the brokers, 4,096).
pub(super) const MOST_STAYING: usize = 200;

/// Letters of one partition that were not brought back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) partition: i32,
    /// Offsets below [`Waiting::first`] of letters that could not be brought back.
    pub(super) stayed: BTreeSet<i64>,
    /// The first that was not looked at.
    pub(super) first: i64,
    /// The log's end.
    pub(super) end: i64,
}

impl Waiting {
    /// Reads what was committed. `low` and `end` bound what the log has; letters that it lost are dropped.
    ///
    /// # Errors
    /// The metadata is not of this form.
    pub(super) fn read(
        partition: i32,
        committed: Option<i64>,
        metadata: &str,
        (low, end): (i64, i64),
    ) -> Result<Self, String> {
        let first = committed.map_or(low, |offset| offset.clamp(low, end));
        let offsets = metadata.strip_prefix(WORD).unwrap_or(metadata);
        let read = |text: &str| {
            text.parse::<i64>().map_err(|_| {
                format!("partition {partition}: the metadata of what was brought back is not this program's: '{metadata}'")
            })
        };
        let offsets: BTreeSet<i64> = offsets
            .split(',')
            .filter(|text| !text.is_empty())
            .map(read)
            .collect::<Result<_, _>>()?;
        let stayed = offsets
            .into_iter()
            .filter(|offset| (low..first).contains(offset))
            .collect();
        Ok(Self {
            partition,
            stayed,
            first,
            end,
        })
    }

    /// Letters that wait, at most: transaction markers behind the first one count as well.
    pub(super) fn count(&self) -> u64 {
        self.stayed.len() as u64 + u64::try_from(self.end - self.first).unwrap_or_default()
    }

    /// The metadata of a commit.
    pub(super) fn metadata(&self) -> String {
        if self.stayed.is_empty() {
            return String::new();
        }
        let offsets: Vec<String> = self.stayed.iter().map(i64::to_string).collect();
        format!("{WORD}{}", offsets.join(","))
    }

    /// Further letters that may be tried now: each might stay.
    pub(super) fn room(&self) -> usize {
        MOST_STAYING.saturating_sub(self.stayed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_stayed_are_read_as_they_were_committed() {
        let mut waiting = Waiting::read(0, Some(5), "", (0, 9)).unwrap();
        waiting.stayed.extend([1, 3]);
        assert_eq!(
            (waiting.metadata().as_str(), waiting.count(), waiting.room()),
            ("stays 1,3", 6, 198)
        );
        assert_eq!(
            Waiting::read(0, Some(5), &waiting.metadata(), (0, 9)),
            Ok(waiting)
        );
    }

    #[test]
    fn letters_that_the_log_lost_do_not_wait() {
        let waiting = Waiting::read(0, Some(5), "stays 1,3", (2, 9)).unwrap();
        assert_eq!((waiting.stayed, waiting.first), (BTreeSet::from([3]), 5));
        assert_eq!(
            Waiting::read(0, None, "", (2, 9)).map(|waiting| waiting.first),
            Ok(2)
        );
    }

    #[test]
    fn metadata_of_another_program_is_refused() {
        assert!(
            Waiting::read(7, Some(5), "by hand", (0, 9))
                .unwrap_err()
                .contains("partition 7")
        );
    }

    #[test]
    fn the_most_letters_fit_in_the_metadata() {
        let stayed = (0..MOST_STAYING as i64).map(|n| i64::MAX - n).collect();
        assert!(
            Waiting {
                partition: 0,
                stayed,
                first: 0,
                end: 0
            }
            .metadata()
            .len()
                < 4_096
        );
    }
}
