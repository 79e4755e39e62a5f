//! Files of calls: their hours, names, and rows in the manifest. Pure.

use sha2::{Digest, Sha256};

/// An hour, counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour of a time, milliseconds since 1970.
    pub const fn of_ms(ms: i64) -> Self {
        Self(ms.div_euclid(3_600_000))
    }

    /// When it begins, milliseconds since 1970.
    pub const fn start_ms(self) -> i64 {
        self.0 * 3_600_000
    }

    /// The folder of its files: `date=YYYY-MM-DD/hour=HH`, in UTC.
    pub fn folder(self) -> String {
        let (year, month, day) = civil(self.0.div_euclid(24));
        let hour = self.0.rem_euclid(24);
        format!("date={year:04}-{month:02}-{day:02}/hour={hour:02}")
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar. The days of 400
/// years repeat; a year begins in March here, so that the leap day is its last.
const fn civil(day: i64) -> (i64, i64, i64) {
    let from_march_0000 = day + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let day = from_march_0000.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let next_year = month >= 10;
    let month = if next_year { month - 9 } else { month + 3 };
    (year + era * 400 + next_year as i64, month, day)
}

/// A partition of one incarnation of a topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallOrigin {
    /// The topic's full name.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Counts how often the topic was created again, from 1.
    pub incarnation: i32,
}

/// Which calls a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRange {
    /// Offset of the first call.
    pub first_offset: i64,
    /// Offset of the last call. Calls between them may be in files of other hours.
    pub last_offset: i64,
    /// Number of calls.
    pub calls: u64,
    /// Time of the earliest call, milliseconds since 1970.
    pub min_at_ms: i64,
    /// Time of the latest call, milliseconds since 1970.
    pub max_at_ms: i64,
}

impl CallRange {
    /// The range of a call.
    pub const fn of(offset: i64, at_ms: i64) -> Self {
        Self {
            first_offset: offset,
            last_offset: offset,
            calls: 1,
            min_at_ms: at_ms,
            max_at_ms: at_ms,
        }
    }

    /// The range of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            first_offset: self.first_offset.min(other.first_offset),
            last_offset: self.last_offset.max(other.last_offset),
            calls: self.calls + other.calls,
            min_at_ms: self.min_at_ms.min(other.min_at_ms),
            max_at_ms: self.max_at_ms.max(other.max_at_ms),
        }
    }
}

/// Calls of one source and hour: what a file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallGroup {
    /// The source, as in `api_sources`.
    pub source: i32,
    /// What the source stands for.
    pub origin: CallOrigin,
    /// The hour.
    pub hour: Hour,
    /// The calls.
    pub range: CallRange,
}

/// The row of a file in the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallFile {
    /// Path below the folder of the environment.
    pub path: String,
    /// Its calls.
    pub group: CallGroup,
    /// Size.
    pub bytes: u64,
    /// Hash of its content.
    pub sha256: [u8; 32],
    /// Version of its schema.
    pub schema_version: i32,
    /// How often its calls were merged from smaller files.
    pub level: i32,
}

impl CallFile {
    /// A file with this content.
    ///
    /// Its path names its folder, the origin, the offsets, and half of the hash of the content. The
    /// same calls written by the same program have the same path, and objects under one path have
    /// the same bytes: a repetition replaces an object by an equal one.
    pub fn new(group: CallGroup, content: &[u8], schema_version: i32, level: i32) -> Self {
        let sha256: [u8; 32] = Sha256::digest(content).into();
        let CallOrigin {
            topic,
            partition,
            incarnation,
        } = &group.origin;
        let path = format!(
            "{}/{topic}-p{partition}-i{incarnation}-{}-{}-{}.parquet",
            group.hour.folder(),
            group.range.first_offset,
            group.range.last_offset,
            hex::encode(&sha256[..16]),
        );
        Self {
            path,
            group,
            bytes: content.len() as u64,
            sha256,
            schema_version,
            level,
        }
    }

    /// A file with the calls of others, which are of one source and hour. `None` without others.
    pub fn merged(files: &[Self], content: &[u8], schema_version: i32) -> Option<Self> {
        let mut group = files.first()?.group.clone();
        group.range = files
            .iter()
            .map(|file| file.group.range)
            .reduce(CallRange::join)?;
        let level = files.iter().map(|file| file.level).max()?;
        Some(Self::new(group, content, schema_version, level + 1))
    }
}

/// How many of the files, from the first on, are merged into one of at most about `max_bytes`: as
/// many as fit, and at least two. 0 if there are fewer than two.
pub fn files_to_merge(files: &[CallFile], max_bytes: u64) -> usize {
    let mut sum = 0;
    let fit = files.iter().take_while(|file| {
        sum += file.bytes;
        sum <= max_bytes
    });
    match fit.count().max(2) {
        fit if fit <= files.len() => fit,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_a_folder_in_utc() {
        for (ms, folder) in [
            (0, "date=1970-01-01/hour=00"),
            (951_782_399_999, "date=2000-02-28/hour=23"),
            (951_782_400_000, "date=2000-02-29/hour=00"),
            (951_868_800_000, "date=2000-03-01/hour=00"),
            (1_796_066_164_000, "date=2026-11-30/hour=19"),
            (4_107_542_400_000, "date=2100-03-01/hour=00"),
            (253_402_300_799_999, "date=9999-12-31/hour=23"),
        ] {
            assert_eq!(Hour::of_ms(ms).folder(), folder);
        }
    }

    fn file(incarnation: i32, offsets: std::ops::RangeInclusive<i64>, content: &[u8]) -> CallFile {
        let origin = CallOrigin {
            topic: "t-api-call".into(),
            partition: 3,
            incarnation,
        };
        let group = CallGroup {
            source: 1,
            origin,
            hour: Hour(0),
            range: CallRange::of(*offsets.start(), 5).join(CallRange::of(*offsets.end(), 3)),
        };
        CallFile::new(group, content, 1, 0)
    }

    #[test]
    fn a_path_changes_with_its_calls() {
        let path = |incarnation, last, content: &[u8]| file(incarnation, 7..=last, content).path;
        assert_eq!(
            path(1, 9, b"abc"),
            "date=1970-01-01/hour=00/t-api-call-p3-i1-7-9-ba7816bf8f01cfea414140de5dae2223.parquet"
        );
        assert_eq!(path(1, 9, b"1"), path(1, 9, b"1"));
        assert_ne!(path(1, 9, b"1"), path(2, 9, b"1"));
        assert_ne!(path(1, 9, b"1"), path(1, 8, b"1"));
        assert_ne!(path(1, 9, b"1"), path(1, 9, b"2"));
    }

    #[test]
    fn a_merged_file_has_all_calls() {
        let files = [file(1, 7..=9, b"a"), file(1, 2..=3, b"b")];
        let merged = CallFile::merged(&files, b"ab", 1).expect("two files");
        let range = CallRange {
            first_offset: 2,
            last_offset: 9,
            calls: 4,
            min_at_ms: 3,
            max_at_ms: 5,
        };
        assert_eq!((merged.group.range, merged.level), (range, 1));
        assert_eq!(CallFile::merged(&[], b"", 1), None);
    }

    #[test]
    fn at_least_two_files_are_merged_or_none() {
        let files = [b"12", b"34", b"56"].map(|content| file(1, 0..=1, content));
        assert_eq!(files_to_merge(&files, 6), 3);
        assert_eq!(files_to_merge(&files, 5), 2);
        assert_eq!(files_to_merge(&files, 1), 2);
        assert_eq!(files_to_merge(&files[..1], 6), 0);
        assert_eq!(files_to_merge(&[], 6), 0);
    }
}
