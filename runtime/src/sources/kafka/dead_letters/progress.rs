//! How far the dead letters of a topic's partition were replayed. Pure.
//!
//! Records of a topic cannot be deleted. The committed offset separates the dead letters that were
//! tried from those that were not. The offsets of tried ones that stay are in the metadata of the
//! commit (`stays 12,15`), so that they block no other.

use std::collections::BTreeSet;

/// Prefix of the metadata.
const PREFIX: &str = "stays ";

/// Maximum of dead letters that stay in one partition: their offsets have to fit into the metadata
/// (`offset.metadata.max.bytes` of the brokers, 4,096).
pub(super) const MAX_STAYING: usize = 200;

/// The committed metadata is of another program.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("partition {partition}: the committed metadata is not in usher's format: '{metadata}'")]
pub(super) struct ForeignMetadata {
    partition: i32,
    metadata: String,
}

/// Dead letters of one partition that wait for a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionProgress {
    pub(super) partition: i32,
    /// Offsets below [`PartitionProgress::first`] of dead letters that could not be replayed.
    pub(super) stayed: BTreeSet<i64>,
    /// The first offset that was not tried.
    pub(super) first: i64,
    /// End of the log.
    pub(super) end: i64,
}

impl PartitionProgress {
    /// Parses a commit. `low` and `end` are the bounds of the log; offsets that the log has deleted
    /// are dropped.
    ///
    /// # Errors
    /// The metadata has another format.
    pub(super) fn read(
        partition: i32,
        committed: Option<i64>,
        metadata: &str,
        (low, end): (i64, i64),
    ) -> Result<Self, ForeignMetadata> {
        let first = committed.map_or(low, |offset| offset.clamp(low, end));
        let offsets = metadata.strip_prefix(PREFIX).unwrap_or(metadata);
        let read = |text: &str| {
            text.parse::<i64>().map_err(|_| ForeignMetadata {
                partition,
                metadata: metadata.to_owned(),
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

    /// Upper bound of the progress dead letters: transaction markers count as well.
    pub(super) fn count(&self) -> u64 {
        self.stayed.len() as u64 + u64::try_from(self.end - self.first).unwrap_or_default()
    }

    /// Metadata of the next commit.
    pub(super) fn metadata(&self) -> String {
        if self.stayed.is_empty() {
            return String::new();
        }
        let offsets: Vec<String> = self.stayed.iter().map(i64::to_string).collect();
        format!("{PREFIX}{}", offsets.join(","))
    }

    /// How many more dead letters may be tried: each of them might stay.
    pub(super) fn remaining(&self) -> usize {
        MAX_STAYING.saturating_sub(self.stayed.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_progress_is_parsed_unchanged() {
        let mut progress = PartitionProgress::read(0, Some(5), "", (0, 9)).unwrap();
        progress.stayed.extend([1, 3]);
        assert_eq!(
            (
                progress.metadata().as_str(),
                progress.count(),
                progress.remaining()
            ),
            ("stays 1,3", 6, 198)
        );
        assert_eq!(
            PartitionProgress::read(0, Some(5), &progress.metadata(), (0, 9)),
            Ok(progress)
        );
    }

    #[test]
    fn deleted_offsets_do_not_wait() {
        let progress = PartitionProgress::read(0, Some(5), "stays 1,3", (2, 9)).unwrap();
        assert_eq!((progress.stayed, progress.first), (BTreeSet::from([3]), 5));
        assert_eq!(
            PartitionProgress::read(0, None, "", (2, 9)).map(|progress| progress.first),
            Ok(2)
        );
    }

    #[test]
    fn foreign_metadata_is_an_error() {
        assert!(
            PartitionProgress::read(7, Some(5), "by hand", (0, 9))
                .unwrap_err()
                .to_string()
                .contains("partition 7")
        );
    }

    #[test]
    fn the_maximum_fits_into_the_metadata() {
        let stayed = (0..MAX_STAYING as i64).map(|n| i64::MAX - n).collect();
        assert!(
            PartitionProgress {
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
