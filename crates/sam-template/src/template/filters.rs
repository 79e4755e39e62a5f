//! `FilterCriteria` of event source mappings.

use crate::document::Reader;
use event_sources::filter::{DEFAULT_MAX_FILTERS, Filters, MAX_FILTERS};

/// The mapping's filters on this field of its records. `None`: it has none, or they are invalid.
pub(super) fn read(reader: &Reader<'_>, field: &str) -> Option<Filters> {
    let criteria = reader.child("FilterCriteria")?;
    criteria.only("Filters");
    let count = criteria.list("Filters").len();
    if count > MAX_FILTERS {
        let message =
            format!("{count} filters; a mapping has at most {MAX_FILTERS}. Join some with $or.");
        criteria.error("Filters", &message);
        return None;
    }
    if count > DEFAULT_MAX_FILTERS {
        let message = format!(
            "{count} filters; on Lambda more than {DEFAULT_MAX_FILTERS} need a higher quota. \
             Request it before you deploy, or join some with $or."
        );
        criteria.warn("Filters", &message);
    }
    let mut patterns = Vec::new();
    let filters = Reader::new(criteria.node, reader.what.clone(), reader.problems);
    for filter in filters.mappings("Filters", "a filter") {
        filter.only("Pattern");
        let remedy =
            format!(r#"Write for example `Pattern: '{{"{field}": {{"kind": ["order"]}}}}'`."#);
        patterns.push((filter.line("Pattern"), filter.required("Pattern", &remedy)?));
    }
    let sources: Vec<&str> = patterns.iter().map(|(_, source)| *source).collect();
    if sources.is_empty() {
        return None;
    }
    let wrong = |(at, wrong): (usize, _)| {
        reader.error_on(patterns[at].0, &format!("FilterCriteria: {wrong}."));
    };
    Filters::new(field, &sources).map_err(wrong).ok()
}
