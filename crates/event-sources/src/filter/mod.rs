//! `FilterCriteria`: which records a function gets to see, decided without it.
//!
//! A pattern is text in the template. `parse` checks it and makes a [`Pattern`] of it, `pattern` says what
//! that is, `matching` walks a record and a pattern side by side, `rule` and `number` compare single values. Nothing here does I/O.
//!
//! Promises: a pattern that the service would refuse is an error that says what is wrong with it, never one that matches
//! nothing; a record is kept when any of the patterns matches; one whose format is not the pattern's (text where the pattern
//! looks into JSON, JSON where it compares text, bytes that are not UTF-8) is kept by none.
//!
//! The rules of the language: "Control which events Lambda sends to your function" in Lambda's guide, and "Comparison
//! operators for use in event patterns" in `EventBridge`'s; which patterns are refused: event-ruler's `JsonRuleCompiler`, the
//! library that the services match with.

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

use pattern::Pattern;

/// Patterns of one mapping at most, after an increase of the quota.
pub const MAX_FILTERS: usize = 10;

/// Patterns of one mapping that every account may have.
pub const DEFAULT_MAX_FILTERS: usize = 5;

/// Longest pattern, bytes (`Filter.Pattern` of Lambda's API).
pub const MAX_PATTERN_BYTES: usize = 4_096;

/// The patterns of one mapping. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Filters {
    sources: Arc<[String]>,
    patterns: Arc<[Pattern]>,
}

impl PartialEq for Filters {
    fn eq(&self, other: &Self) -> bool {
        self.sources == other.sources
    }
}

impl Eq for Filters {}

impl Filters {
    /// Reads patterns that speak of one field of a record: `value` of Kafka's, `body` of a queue's.
    ///
    /// # Errors
    /// Position of the first pattern that cannot be used, and what is wrong with it.
    pub fn new(field: &str, sources: &[&str]) -> Result<Self, (usize, String)> {
        let patterns = sources.iter().enumerate();
        let patterns: Result<Vec<Pattern>, _> = patterns
            .map(|(at, source)| parse::pattern(field, source).map_err(|wrong| (at, wrong)))
            .collect();
        Ok(Self {
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            patterns: patterns?.into(),
        })
    }

    /// Whether the function is to see a record whose field holds these bytes; `None`: it has no such field.
    pub fn keep(&self, data: Option<&[u8]>) -> bool {
        let Some(data) = matching::Data::read(data) else {
            return false;
        };
        self.patterns.iter().any(|pattern| pattern.matches(&data))
    }

    /// The patterns as written.
    pub fn sources(&self) -> &[String] {
        &self.sources
    }
}
