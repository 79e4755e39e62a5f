//! `EventBridge`'s cron: six fields (minute, hour, day of month, month, day of week, year) with `?`, `L`, `W` and `#`.
//!
//! The search over civil time is croner's; this file turns `EventBridge`'s dialect into croner's and says in its own
//! words what is wrong.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

/// Last year that `EventBridge` takes.
const LAST_YEAR: i16 = 2199;

/// A cron expression, understood.
#[derive(Debug, Clone)]
pub struct Calendar(Cron);

impl Calendar {
    /// Reads the six fields.
    ///
    /// # Errors
    /// The end of a sentence that begins with the expression.
    pub(super) fn parse(fields: &str) -> Result<Self, String> {
        let parts: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday, year] = parts[..] else {
            return Err(format!(
                "has {} fields. Write six: minute, hour, day of month, month, day of week, year, as in cron(0 12 * * ? *).",
                parts.len()
            ));
        };
        match (day, weekday) {
            ("?", "?") => return Err("has ? for both days. Write * for the day of month: cron(0 12 * * ? *).".into()),
            ("?", _) | (_, "?") => {}
            _ => {
                return Err(
                    "sets the day of month and the day of week, which exclude each other. Write ? for one of them.".into()
                );
            }
        }
        let weekday = weekday_dialect(weekday);
        let pattern = format!("0 {minute} {hour} {day} {month} {weekday} {year}");
        let parser = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Required)
            .alternative_weekdays(true)
            .sloppy_ranges(true)
            .build();
        parser.parse(&pattern).map(Self).map_err(|error| format!("is not a cron expression: {error}. The fields are minute, hour, day of month, month, day of week (1 is Sunday), year."))
    }

    /// The first civil time after this one that fits.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        self.0.find_next_occurrence(&after, false).ok().filter(|next| next.year() <= LAST_YEAR)
    }
}

/// `L` alone is Saturday, `6L` the last Friday: croner writes the latter `6#L`.
fn weekday_dialect(field: &str) -> String {
    if field.eq_ignore_ascii_case("L") {
        return "7".into();
    }
    match field.strip_suffix(['L', 'l']) {
        Some(day) if !day.is_empty() && !day.ends_with('#') => format!("{day}#L"),
        _ => field.to_owned(),
    }
}
