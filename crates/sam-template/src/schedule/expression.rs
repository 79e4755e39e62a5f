//! `rate(..)`, `cron(..)` and `at(..)`, and the next time at which an expression fires.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::cron::Calendar;
use super::error::ScheduleError;
use super::field::digits;
use super::shape;
use crate::model::ScheduleKind;

/// A parsed schedule expression.
#[derive(Debug, Clone)]
pub enum Expression {
    /// At fixed intervals, counted from the start of the schedule.
    Rate {
        /// The interval.
        every: SignedDuration,
        /// Written in seconds, which only this host supports.
        in_seconds: bool,
    },
    /// At civil times in the schedule's zone.
    Cron(Box<Calendar>),
    /// Once, at a civil time in the schedule's zone.
    At(DateTime),
}

impl Expression {
    /// Parses an expression, including rates in seconds, which [`Self::allowed_on`] refuses.
    ///
    /// # Errors
    /// See [`ScheduleError`].
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let inside = |name: &str| {
            text.trim()
                .strip_prefix(name)?
                .strip_prefix('(')?
                .strip_suffix(')')
        };
        if let Some(inside) = inside("rate") {
            return rate(inside.trim());
        }
        if let Some(inside) = inside("cron") {
            return Calendar::parse(inside).map(|calendar| Self::Cron(Box::new(calendar)));
        }
        if let Some(inside) = inside("at") {
            return civil(inside).map(Self::At).ok_or(ScheduleError::At);
        }
        Err(ScheduleError::Form)
    }

    /// Checks that the service supports the expression.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn allowed_on(&self, kind: ScheduleKind) -> Result<(), ScheduleError> {
        match self {
            Self::Rate {
                in_seconds: true, ..
            } => Err(ScheduleError::Seconds),
            Self::At(_) if kind == ScheduleKind::Rule => Err(ScheduleError::OnceOnRule),
            _ => Ok(()),
        }
    }

    /// The first time to fire after `after`; `None` if none is left.
    ///
    /// A rate fires at `start` and at every interval after it. Civil times that do not exist in the
    /// zone are skipped; of times that occur twice, the first counts.
    pub fn next(&self, start: Timestamp, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Rate { every, .. } => {
                let step = every.as_millis();
                let count = if after < start {
                    0
                } else {
                    after.duration_since(start).as_millis() / step + 1
                };
                start
                    .checked_add(SignedDuration::from_millis(
                        i64::try_from(count * step).ok()?,
                    ))
                    .ok()
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

fn rate(inside: &str) -> Result<Expression, ScheduleError> {
    let (number, unit) = inside
        .split_once(char::is_whitespace)
        .ok_or(ScheduleError::Rate)?;
    let number = digits::<i64>(number)
        .filter(|n| (1..=100_000_000).contains(n))
        .ok_or(ScheduleError::Rate)?;
    let unit = unit.trim();
    let one = unit.strip_suffix('s').unwrap_or(unit);
    let seconds = match one {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return Err(ScheduleError::Rate),
    };
    // The services require "1 minute" and "2 minutes".
    if (number == 1) == unit.ends_with('s') {
        let right = if number == 1 {
            one.to_owned()
        } else {
            format!("{unit}s")
        };
        return Err(match one {
            "second" => ScheduleError::PluralSeconds(number, right),
            _ => ScheduleError::Plural(number, right),
        });
    }
    Ok(Expression::Rate {
        every: SignedDuration::from_secs(number * seconds),
        in_seconds: one == "second",
    })
}

/// `yyyy-mm-ddThh:mm:ss` and nothing else.
fn civil(text: &str) -> Option<DateTime> {
    // 60 would be a leap second.
    (shape::is(text, shape::CIVIL) && !text.ends_with(":60")).then(|| text.parse().ok())?
}

/// `StartDate`, `EndDate`: a civil time with an offset or `Z`; without either, UTC.
pub fn instant(text: &str) -> Option<Timestamp> {
    let (time, rest) = text.split_at_checked(shape::CIVIL.len())?;
    let civil = civil(time)?;
    let offset = rest.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let fraction = &rest[..rest.len() - offset.len()];
    let plain = fraction.is_empty()
        || fraction.starts_with('.') && fraction.len() > 1 && !fraction[1..].contains('.');
    match offset {
        _ if !plain => None,
        "" if fraction.is_empty() => Some(TimeZone::UTC.to_timestamp(civil).ok()?),
        "" => format!("{text}Z").parse().ok(),
        "Z" => text.parse().ok(),
        _ if shape::is(offset, "+00:00") || shape::is(offset, "-00:00") => text.parse().ok(),
        _ => None,
    }
}

/// A time zone by its IANA name.
///
/// # Errors
/// The zone does not exist.
pub fn zone(name: &str) -> Result<TimeZone, ScheduleError> {
    TimeZone::get(name).map_err(|_| ScheduleError::Zone(name.to_owned()))
}
