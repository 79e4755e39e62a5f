//! `EventBridge`'s cron: six fields (minute, hour, day of month, month, day of week, year) with
//! `?`, `L`, `W` and `#`.
//!
//! Pure: an expression becomes sets of numbers, in which the next civil time is searched.

use std::collections::BTreeSet;

use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Weekday};

use super::error::ScheduleError;
use super::field::{DAY, HOUR, MINUTE, MONTH, WEEKDAY, YEAR};

/// A parsed cron expression.
#[derive(Debug, Clone)]
pub struct Calendar {
    minutes: BTreeSet<u16>,
    hours: BTreeSet<u16>,
    months: BTreeSet<u16>,
    years: BTreeSet<u16>,
    /// A day matches if one of these does.
    days: Vec<DayRule>,
}

/// The days of a month that an item of a day field stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum DayRule {
    /// Days by number.
    OfMonth(BTreeSet<u16>),
    /// `L`: the last day.
    Last,
    /// `LW`: the last working day, Monday to Friday.
    LastWorkday,
    /// `15W`: the working day nearest to this one, in the same month.
    Workday(u16),
    /// Days of the week, 1 for Sunday.
    OfWeek(BTreeSet<u16>),
    /// `6L`: the last such day of the week in the month.
    LastOfWeek(u16),
    /// `6#3`: the third such day of the week in the month.
    Nth(u16, u16),
}

impl Calendar {
    /// Parses the six fields.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the expression.
    pub(super) fn parse(fields: &str) -> Result<Self, ScheduleError> {
        let parts: Vec<&str> = fields.split_whitespace().collect();
        let [minute, hour, day, month, weekday, year] = parts[..] else {
            return Err(ScheduleError::Fields(parts.len()));
        };
        let days = match (day, weekday) {
            ("?", "?") => return Err(ScheduleError::NoDay),
            (day, "?") => day.split(',').map(of_month).collect(),
            ("?", weekday) => of_week(weekday),
            _ => return Err(ScheduleError::BothDays),
        };
        Ok(Self {
            minutes: MINUTE.list(minute)?,
            hours: HOUR.list(hour)?,
            days: days?,
            months: MONTH.list(month)?,
            years: YEAR.list(year)?,
        })
    }

    /// The first matching civil time after this one; `None` if none is left.
    pub(super) fn next(&self, after: DateTime) -> Option<DateTime> {
        let start = after
            .checked_add(1.minute())
            .ok()?
            .with()
            .second(0)
            .subsec_nanosecond(0)
            .build()
            .ok()?;
        let today = start.date();
        if self.fits(today)
            && let Some(at) = self.in_day(start)
        {
            return Some(at);
        }
        let mut date = today;
        loop {
            date = date.tomorrow().ok()?;
            // A month or year that does not match is skipped as a whole.
            if !self.years.contains(&number(date.year())) {
                let year = self.years.range(number(date.year())..).next()?;
                date = Date::new(i16::try_from(*year).ok()?, 1, 1).ok()?;
            }
            if !self.months.contains(&number(date.month())) {
                date = date.last_of_month();
                continue;
            }
            if self.fits(date) {
                let hour = self.hours.first()?;
                let minute = self.minutes.first()?;
                return Some(date.at(i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?, 0, 0));
            }
        }
    }

    fn fits(&self, date: Date) -> bool {
        self.years.contains(&number(date.year()))
            && self.months.contains(&number(date.month()))
            && self.days.iter().any(|rule| rule.holds(date))
    }

    /// The first matching time on the same day, from this one on.
    fn in_day(&self, from: DateTime) -> Option<DateTime> {
        let hour = number(from.hour());
        let minute = number(from.minute());
        let same_hour = self
            .hours
            .contains(&hour)
            .then(|| self.minutes.range(minute..).next())
            .flatten();
        let (hour, minute) = match same_hour {
            Some(minute) => (hour, *minute),
            None => (
                *self.hours.range(hour + 1..).next()?,
                *self.minutes.first()?,
            ),
        };
        Some(
            from.date()
                .at(i8::try_from(hour).ok()?, i8::try_from(minute).ok()?, 0, 0),
        )
    }
}

impl DayRule {
    fn holds(&self, date: Date) -> bool {
        let day = number(date.day());
        let weekday = weekday(date);
        let last = number(date.days_in_month());
        match self {
            Self::OfMonth(days) => days.contains(&day),
            Self::Last => day == last,
            Self::LastWorkday => nearest_workday(date, last) == Some(day),
            Self::Workday(wanted) => nearest_workday(date, *wanted) == Some(day),
            Self::OfWeek(days) => days.contains(&weekday),
            Self::LastOfWeek(wanted) => weekday == *wanted && day + 7 > last,
            Self::Nth(wanted, nth) => weekday == *wanted && day.div_ceil(7) == *nth,
        }
    }
}

/// The working day nearest to a day of this date's month, within the month; `None` if the month has
/// no such day.
fn nearest_workday(date: Date, day: u16) -> Option<u16> {
    let wanted = Date::new(date.year(), date.month(), i8::try_from(day).ok()?).ok()?;
    Some(match wanted.weekday() {
        Weekday::Saturday if day == 1 => 3,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if wanted == wanted.last_of_month() => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    })
}

/// 1 for Sunday.
fn weekday(date: Date) -> u16 {
    number(date.weekday().to_sunday_one_offset())
}

/// A part of a date, never negative: years start with 1970.
fn number(part: impl Into<i16>) -> u16 {
    u16::try_from(part.into()).unwrap_or_default()
}

fn of_month(item: &str) -> Result<DayRule, ScheduleError> {
    let upper = item.to_ascii_uppercase();
    Ok(match upper.as_str() {
        "L" => DayRule::Last,
        "LW" | "WL" => DayRule::LastWorkday,
        _ => match upper.strip_suffix('W') {
            Some(day) => DayRule::Workday(DAY.number(day).ok_or_else(|| DAY.refuse(item))?),
            None => DayRule::OfMonth(DAY.item(item)?),
        },
    })
}

/// A day with `#` must be alone, as the service documents.
fn of_week(text: &str) -> Result<Vec<DayRule>, ScheduleError> {
    if let Some((day, nth)) = text.split_once('#') {
        let nth = nth
            .parse()
            .ok()
            .filter(|nth| (1..=5).contains(nth) && text.len() == day.len() + 2);
        let rule = WEEKDAY
            .number(day)
            .zip(nth)
            .map(|(day, nth)| DayRule::Nth(day, nth));
        return rule
            .map(|rule| vec![rule])
            .ok_or_else(|| WEEKDAY.refuse(text));
    }
    text.split(',').map(one_of_week).collect()
}

/// `L` alone is Saturday, the last day of the week.
fn one_of_week(item: &str) -> Result<DayRule, ScheduleError> {
    match item.strip_suffix(['L', 'l']) {
        Some("") => Ok(DayRule::OfWeek([7].into())),
        Some(day) => WEEKDAY
            .number(day)
            .map(DayRule::LastOfWeek)
            .ok_or_else(|| WEEKDAY.refuse(item)),
        None => WEEKDAY.item(item).map(DayRule::OfWeek),
    }
}
