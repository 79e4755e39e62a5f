//! Fields of a cron expression as sets of numbers: lists, ranges, steps and names.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::ScheduleError;

/// Syntax of a field.
#[derive(Debug)]
pub(super) struct Field {
    /// Name in messages.
    pub(super) name: &'static str,
    low: u16,
    high: u16,
    /// Names of the numbers from `low` on, upper case.
    names: &'static str,
    /// Whether a range whose end is smaller than its start wraps around.
    wraps: bool,
    takes: &'static str,
}

const MONTHS: &str = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC";
const WEEKDAYS: &str = "SUN MON TUE WED THU FRI SAT";

pub(super) const MINUTE: Field = Field::new("minute", 0..=59, "0 to 59 with , - * /");
pub(super) const HOUR: Field = Field::new("hour", 0..=23, "0 to 23 with , - * /");
pub(super) const DAY: Field = Field::new("day of month", 1..=31, "1 to 31 with , - * / ? L W");
pub(super) const MONTH: Field = Field {
    names: MONTHS,
    ..Field::new("month", 1..=12, "1 to 12 or JAN to DEC with , - * /")
};
pub(super) const WEEKDAY: Field = Field {
    names: WEEKDAYS,
    ..Field::new(
        "day of week",
        1..=7,
        "1 to 7 or SUN to SAT with , - * / ? L, or one day with # and 1 to 5",
    )
};
pub(super) const YEAR: Field = Field {
    wraps: false,
    ..Field::new("year", 1970..=2199, "1970 to 2199 with , - * /")
};

impl Field {
    const fn new(name: &'static str, bounds: RangeInclusive<u16>, takes: &'static str) -> Self {
        Self {
            name,
            low: *bounds.start(),
            high: *bounds.end(),
            names: "",
            wraps: true,
            takes,
        }
    }

    /// The numbers of one item of a list: a number, a name, a range or `*`, each with or without a
    /// step.
    ///
    /// # Errors
    /// [`ScheduleError::Field`].
    pub(super) fn item(&self, item: &str) -> Result<BTreeSet<u16>, ScheduleError> {
        self.numbers(item).ok_or_else(|| self.refuse(item))
    }

    /// The numbers of a whole list.
    ///
    /// # Errors
    /// [`ScheduleError::Field`].
    pub(super) fn list(&self, text: &str) -> Result<BTreeSet<u16>, ScheduleError> {
        let items: Result<Vec<_>, _> = text.split(',').map(|item| self.item(item)).collect();
        Ok(items?.into_iter().flatten().collect())
    }

    /// The error for an invalid part of this field.
    pub(super) fn refuse(&self, text: &str) -> ScheduleError {
        let text = if text.is_empty() { "empty" } else { text };
        ScheduleError::Field {
            field: self.name,
            text: text.to_owned(),
            takes: self.takes,
        }
    }

    /// A number or a name, in any case.
    pub(super) fn number(&self, text: &str) -> Option<u16> {
        let mut names = self.names.split_whitespace();
        if let Some(at) = names.position(|name| name.eq_ignore_ascii_case(text)) {
            return Some(self.low + at as u16);
        }
        digits::<u16>(text).filter(|number| (self.low..=self.high).contains(number))
    }

    fn numbers(&self, item: &str) -> Option<BTreeSet<u16>> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(digits::<u16>(step).filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None if range == "*" => (self.low, self.high),
            // `5/10` continues to the end of the field.
            None => {
                let from = self.number(range)?;
                (from, if step.is_some() { self.high } else { from })
            }
        };
        if from > to && !self.wraps {
            return None;
        }
        let through: Box<dyn Iterator<Item = u16>> = if from <= to {
            Box::new(from..=to)
        } else {
            Box::new((from..=self.high).chain(self.low..=to))
        };
        Some(through.step_by(step.unwrap_or(1).into()).collect())
    }
}

/// A number without sign; `None` for anything else.
pub(super) fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
