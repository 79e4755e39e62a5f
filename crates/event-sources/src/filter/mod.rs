//! `FilterCriteria`: which records a function receives.
//!
//! `parse` turns the text of a pattern into a `Pattern` or an `error`, `unique` finds repeated names,
//! `matching` compares a record with a pattern, `rule` and `number` compare single values.
//!
//! - A pattern that the service refuses is an error that names the fault; it never becomes a
//!   pattern that matches nothing.
//! - A record is kept if any pattern matches. A record of another format than the pattern (text
//!   where the pattern describes JSON, JSON where it compares text, bytes that are not UTF-8) is
//!   dropped.
//!
//! Sources: "Control which events Lambda sends to your function" in Lambda's guide; "Comparison
//! operators for use in event patterns" in `EventBridge`'s; for refused patterns `JsonRuleCompiler`
//! of event-ruler, the library that these services use.

mod error;
mod matching;
mod number;
mod parse;
mod pattern;
mod rule;
mod unique;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod model_tests;

use std::sync::Arc;

pub use error::{PatternError, RuleError};
use pattern::Pattern;

/// Maximum of patterns of one mapping, after an increase of the quota.
pub const MAX_FILTERS: usize = 10;

/// Maximum of patterns of one mapping, without an increase of the quota.
pub const DEFAULT_MAX_FILTERS: usize = 5;

/// Maximum length of a pattern in bytes (`Filter.Pattern` of Lambda's API).
pub const MAX_PATTERN_BYTES: usize = 4_096;

/// The patterns of one mapping. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters {
    sources: Arc<[String]>,
    patterns: Arc<[Pattern]>,
}

impl Filters {
    /// Parses patterns about one field of a record: `value` in Kafka, `body` in SQS.
    ///
    /// # Errors
    /// Index of the first pattern that is refused, and why.
    pub fn new(field: &str, sources: &[&str]) -> Result<Self, (usize, PatternError)> {
        let patterns = sources.iter().enumerate();
        let patterns: Result<Vec<Pattern>, _> = patterns
            .map(|(at, source)| parse::pattern(field, source).map_err(|wrong| (at, wrong)))
            .collect();
        Ok(Self {
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            patterns: patterns?.into(),
        })
    }

    /// Whether the function receives a record whose field has these bytes. `None`: the field is
    /// absent.
    pub fn keep(&self, data: Option<&[u8]>) -> bool {
        let Some(data) = matching::Data::read(data) else {
            return false;
        };
        self.patterns.iter().any(|pattern| pattern.matches(&data))
    }

    /// The patterns as text.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }
}
