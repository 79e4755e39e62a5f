//! `rate(..)`, `cron(..)` and `at(..)`: when does it fire next? Pure: time is a parameter.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::cron::Calendar;
use crate::model::ScheduleKind;

/// A schedule's expression, understood.
#[derive(Debug, Clone)]
pub enum Expression {
    /// At fixed intervals, counted from the start of the schedule.
    Rate(SignedDuration),
    /// At civil times in the schedule's zone.
    Cron(Box<Calendar>),
    /// Once, at a civil time in the schedule's zone.
    At(DateTime),
}

/// What a wrong expression should be; the caller puts the expression in front.
const REMEDY: &str = "is not a schedule. Write rate(5 minutes), cron(0 12 * * ? *) or at(2030-01-31T12:00:00).";

impl Expression {
    /// Reads an expression. Seconds are understood here; whether they are allowed is [`Self::allowed_on`].
    ///
    /// # Errors
    /// What is wrong and what to write, as the end of a sentence that begins with the expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        let inside = |name: &str| text.trim().strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')').map(str::trim);
        if let Some(inside) = inside("rate") {
            return rate(inside).map(Self::Rate);
        }
        if let Some(inside) = inside("cron") {
            return Calendar::parse(inside).map(|calendar| Self::Cron(Box::new(calendar)));
        }
        if let Some(inside) = inside("at") {
            let at = inside.strip_suffix('Z').unwrap_or(inside).parse::<DateTime>();
            return at.map(Self::At).map_err(|_| "is not a time. Write at(2030-01-31T12:00:00).".into());
        }
        Err(REMEDY.into())
    }

    /// Whether the service would take it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn allowed_on(&self, kind: ScheduleKind) -> Result<(), String> {
        match self {
            Self::Rate(interval) if interval.as_secs() < 60 => {
                Err("is in seconds, which the service does not know. Write minutes here, and the seconds for this machine in \
                 usher.toml under [schedules]."
                    .into())
            }
            Self::At(_) if kind == ScheduleKind::Rule => {
                Err("fires once, which only ScheduleV2 events can. Write rate() or cron(), or `Type: ScheduleV2`.".into())
            }
            _ => Ok(()),
        }
    }

    /// The first time to fire after `after`; `None` when there is none left.
    ///
    /// `start` is when the schedule was switched on: rates count from it, and it counts itself if it is still to come. Civil times that do not exist in the zone are
    /// skipped, and times that come twice count once, as the first.
    pub fn next(&self, start: Timestamp, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Rate(interval) => {
                let step = interval.as_millis();
                let count = if after < start { 0 } else { after.duration_since(start).as_millis() / step + 1 };
                start.checked_add(SignedDuration::from_millis(i64::try_from(count * step).ok()?)).ok()
            }
            Self::At(civil) => first_instant(*civil, zone).filter(|at| *at > after),
            Self::Cron(calendar) => {
                let mut civil = zone.to_datetime(after);
                loop {
                    civil = calendar.next(civil)?;
                    if let Some(at) = first_instant(civil, zone).filter(|at| *at > after) {
                        return Some(at);
                    }
                }
            }
        }
    }
}

/// The instant of a civil time: none in a gap, the earlier of two in a fold.
fn first_instant(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { .. } => None,
        _ => ambiguous.earlier().ok(),
    }
}

fn rate(inside: &str) -> Result<SignedDuration, String> {
    let wrong = || "is not a rate. Write rate(1 minute), rate(5 minutes), rate(2 hours) or rate(1 day).".to_owned();
    let (number, unit) = inside.split_once(char::is_whitespace).ok_or_else(wrong)?;
    let number: i64 = number.parse().ok().filter(|n| (1..=100_000_000).contains(n)).ok_or_else(wrong)?;
    let unit = unit.trim();
    let seconds = match unit.strip_suffix('s').unwrap_or(unit) {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return Err(wrong()),
    };
    // The services insist on "1 minute" and "2 minutes".
    if (number == 1) == unit.ends_with('s') {
        let right = if number == 1 { unit.trim_end_matches('s').to_owned() } else { format!("{unit}s") };
        return Err(format!("is not a rate: the service wants the right number. Write rate({number} {right})."));
    }
    Ok(SignedDuration::from_secs(number * seconds))
}

/// A time zone by its IANA name.
///
/// # Errors
/// The sentence to show.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    TimeZone::get(name).map_err(|_| format!("there is no time zone {name}. Write an IANA name such as Europe/Madrid, or UTC."))
}
