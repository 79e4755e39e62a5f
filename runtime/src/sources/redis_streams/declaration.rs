//! Reads the sources of type `RedisStream` that `usher.toml` declares. Pure.

use std::time::Duration;

use event_sources::filter::{DEFAULT_MAX_FILTERS, Filters};
use sam_template::document::Reader;
use sam_template::model::{Application, DeclaredSource};

use super::kind::TYPE;
use super::mapping::RedisStreamMapping;

/// Keys of a declaration, beside those that every source has.
const KEYS: &str = "stream name group batch-size batching-window report-batch-item-failures \
                    bisect-batch-on-function-error maximum-retry-attempts maximum-record-age \
                    maximum-concurrency take-over-after filters";

/// Entries in one invocation: the default of Lambda's mappings of queues.
const BATCH_SIZE: u32 = 10;

/// Retries: what a mapping of a stream with a destination has where the template sets none. An
/// entry always has a destination here, the dead-letter stream.
const RETRIES: u32 = 10;

/// Seconds after which another consumer takes entries over.
const TAKE_OVER_AFTER: u64 = 30;

/// Seconds that an age or a window may have, as in Lambda's mappings.
const AGES: std::ops::RangeInclusive<i64> = 60..=604_800;
const WINDOWS: std::ops::RangeInclusive<i64> = 0..=300;

/// The sources of an application, and what is wrong with them, a sentence each with its line.
#[derive(Debug, Default)]
pub(super) struct Declarations {
    /// Those without a problem.
    pub(super) mappings: Vec<RedisStreamMapping>,
    pub(super) problems: Vec<String>,
}

/// Reads all declarations.
pub(super) fn read(app: &Application) -> Declarations {
    let mut all = Declarations::default();
    for declared in app.declared.iter().filter(|declared| declared.kind == TYPE) {
        let (mapping, problems) = declared.read(KEYS, |table| mapping(app, declared, table));
        if problems.is_empty() {
            all.mappings.extend(mapping);
        }
        let problems = problems.iter().map(ToString::to_string);
        all.problems.extend(problems);
    }
    all
}

fn mapping(
    app: &Application,
    declared: &DeclaredSource,
    table: &Reader<'_>,
) -> Option<RedisStreamMapping> {
    let stream = table.required("stream", "Write the key of the stream in Redis.")?;
    let group = table.string("group");
    let number = |key, bounds| table.number(key, bounds).map(|number| number as u32);
    let seconds = |key, bounds| {
        let seconds = table.number(key, bounds)?;
        Some(Duration::from_secs(seconds as u64))
    };
    Some(RedisStreamMapping {
        id: declared.id.clone(),
        function: declared.function.clone(),
        enabled: declared.enabled,
        stream: stream.to_owned(),
        name: table.string("name").unwrap_or_else(|| stream.to_owned()),
        group: group.unwrap_or_else(|| format!("{}-{}", app.stack, declared.id)),
        batch_size: number("batch-size", 1..=10_000).unwrap_or(BATCH_SIZE),
        window: seconds("batching-window", WINDOWS).unwrap_or_default(),
        partial_responses: table.flag("report-batch-item-failures").unwrap_or(false),
        bisect: table
            .flag("bisect-batch-on-function-error")
            .unwrap_or(false),
        max_retries: match table.number("maximum-retry-attempts", -1..=10_000) {
            None => Some(RETRIES),
            Some(-1) => None,
            Some(retries) => Some(retries as u32),
        },
        max_age: max_age(table),
        max_concurrency: number("maximum-concurrency", 1..=1_000),
        idle: seconds("take-over-after", 1..=86_400)
            .unwrap_or(Duration::from_secs(TAKE_OVER_AFTER)),
        filters: filters(table),
    })
}

/// `None`: no limit.
fn max_age(table: &Reader<'_>) -> Option<Duration> {
    let key = "maximum-record-age";
    let seconds = table.number(key, -1..=*AGES.end())?;
    if seconds == -1 {
        return None;
    }
    if !AGES.contains(&seconds) {
        let (first, last) = (AGES.start(), AGES.end());
        let message = format!("{key} is -1 (no limit) or {first} to {last} seconds.");
        table.error(key, &message);
    }
    Some(Duration::from_secs(seconds as u64))
}

fn filters(table: &Reader<'_>) -> Option<Filters> {
    let key = "filters";
    let patterns = table.texts(key);
    if patterns.is_empty() {
        return None;
    }
    if patterns.len() > DEFAULT_MAX_FILTERS {
        let message = format!("{key} has at most {DEFAULT_MAX_FILTERS} patterns.");
        table.error(key, &message);
    }
    match Filters::new("body", &patterns) {
        Ok(filters) => Some(filters),
        Err((at, why)) => {
            table.error(key, &format!("pattern {} of {key}: {why}.", at + 1));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use sam_template::document::{Problems, parse_toml};

    use super::*;

    /// An application whose usher.toml declares `[sources.Changes]` with these further lines.
    fn app(lines: &str) -> Application {
        let problems = Problems::new("usher.toml");
        let text = format!("type = 'RedisStream'\nfunction = 'Worker'\n{lines}");
        let table = parse_toml(&text, &problems);
        Application {
            stack: "shop".to_owned(),
            declared: vec![DeclaredSource {
                id: "Changes".to_owned(),
                kind: TYPE.to_owned(),
                function: "Worker".to_owned(),
                enabled: true,
                table,
                file: "usher.toml".to_owned(),
            }],
            ..Application::default()
        }
    }

    #[test]
    fn a_declaration_needs_no_more_than_its_stream() {
        let read = read(&app("stream = 'dev:{changes}'"));
        assert_eq!(read.problems, Vec::<String>::new());
        let mapping = &read.mappings[0];
        assert_eq!(
            (
                mapping.stream.as_str(),
                mapping.name.as_str(),
                mapping.group.as_str()
            ),
            ("dev:{changes}", "dev:{changes}", "shop-Changes")
        );
        assert_eq!((mapping.batch_size, mapping.max_retries), (10, Some(10)));
        assert_eq!((mapping.max_age, mapping.filters.is_none()), (None, true));
    }

    #[test]
    fn every_key_has_its_effect() {
        let read = read(&app("stream = 's'
name = 'n'
group = 'g'
batch-size = 7
batching-window = 2
report-batch-item-failures = true
bisect-batch-on-function-error = true
maximum-retry-attempts = -1
maximum-record-age = 60
maximum-concurrency = 3
take-over-after = 5
filters = ['{\"body\": [\"x\"]}']"));
        assert_eq!(read.problems, Vec::<String>::new());
        let mapping = &read.mappings[0];
        assert_eq!((mapping.name.as_str(), mapping.group.as_str()), ("n", "g"));
        assert_eq!(
            (mapping.batch_size, mapping.window),
            (7, Duration::from_secs(2))
        );
        assert!(mapping.partial_responses && mapping.bisect && mapping.filters.is_some());
        assert_eq!(mapping.max_retries, None);
        assert_eq!(mapping.max_age, Some(Duration::from_secs(60)));
        assert_eq!(
            (mapping.max_concurrency, mapping.idle),
            (Some(3), Duration::from_secs(5))
        );
    }

    #[test]
    fn problems_have_their_line() {
        for (lines, expected) in [
            ("", "usher.toml:1: [sources] Changes has no stream"),
            ("stream = 's'\nbatchsize = 7", "usher.toml:4: "),
            (
                "stream = 's'\nbatch-size = 0",
                "a whole number from 1 to 10000",
            ),
            (
                "stream = 's'\nmaximum-record-age = 59",
                "is -1 (no limit) or 60 to 604800",
            ),
            (
                "stream = 's'\nfilters = ['{']",
                "pattern 1 of filters: the pattern is not JSON",
            ),
        ] {
            let read = read(&app(lines));
            assert!(read.mappings.is_empty(), "{lines}");
            let problems = read.problems.join("\n");
            assert!(problems.contains(expected), "{lines}: {problems}");
        }
    }
}
