//! `FilterCriteria` of event source mappings.

use crate::document::{Problems, Reader};
use event_sources::filter::{DEFAULT_MAX_FILTERS, Filters, MAX_FILTERS};

/// The mapping's filters on this field of its records. `None`: it has none, or they are invalid.
pub(super) fn read(reader: &Reader<'_>, field: &str, problems: &mut Problems) -> Option<Filters> {
    let criteria = reader.child("FilterCriteria", problems)?;
    criteria.only(&["Filters"], problems);
    let items = criteria.list("Filters", problems);
    let line = criteria.line("Filters");
    if items.len() > MAX_FILTERS {
        problems.error(
            line,
            format!(
                "{}: {} filters; a mapping has at most {MAX_FILTERS}. Join some with $or.",
                criteria.what,
                items.len()
            ),
        );
        return None;
    }
    if items.len() > DEFAULT_MAX_FILTERS {
        let message = format!(
            "{}: {} filters; on Lambda more than {DEFAULT_MAX_FILTERS} need a higher quota. Request it \
             before you deploy, or join some with $or.",
            criteria.what,
            items.len()
        );
        problems.warn(line, message);
    }
    let mut patterns = Vec::new();
    for filter in
        Reader::new(criteria.node, reader.what.clone()).mappings("Filters", "a filter", problems)
    {
        filter.only(&["Pattern"], problems);
        let remedy =
            format!(r#"Write for example `Pattern: '{{"{field}": {{"kind": ["order"]}}}}'`."#);
        patterns.push((
            filter.line("Pattern"),
            filter.required("Pattern", &remedy, problems)?,
        ));
    }
    let sources: Vec<&str> = patterns.iter().map(|(_, source)| *source).collect();
    if sources.is_empty() {
        return None;
    }
    match Filters::new(field, &sources) {
        Ok(filters) => Some(filters),
        Err((at, wrong)) => {
            problems.error(
                patterns[at].0,
                format!("{}: FilterCriteria: {wrong}.", reader.what),
            );
            None
        }
    }
}
