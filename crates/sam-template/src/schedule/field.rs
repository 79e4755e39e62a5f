//! Fields of a cron expression as sets of numbers: lists, ranges, steps and names.

use std::collections::BTreeSet;

use super::error::ScheduleError;

/// Syntax of a field.
#[derive(Debug)]
pub(super) struct Field {
    /// Name in messages.
    pub(super) name: &'static str,
    low: u16,
    high: u16,
    /// Names of the numbers from `low` on; upper case.
    names: &'static [&'static str],
    /// Whether a range whose end is smaller than its start wraps around.
    wraps: bool,
    takes: &'static str,
}

pub(super) const MINUTE: Field = Field {
    name: "minute",
    low: 0,
    high: 59,
    names: &[],
    wraps: true,
    takes: "0 to 59 with , - * /",
};
pub(super) const HOUR: Field = Field {
    name: "hour",
    low: 0,
    high: 23,
    names: &[],
    wraps: true,
    takes: "0 to 23 with , - * /",
};
pub(super) const DAY: Field = Field {
    name: "day of month",
    low: 1,
    high: 31,
    names: &[],
    wraps: true,
    takes: "1 to 31 with , - * / ? L W",
};
pub(super) const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
    wraps: true,
    takes: "1 to 12 or JAN to DEC with , - * /",
};
pub(super) const WEEKDAY: Field = Field {
    name: "day of week",
    low: 1,
    high: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    wraps: true,
    takes: "1 to 7 or SUN to SAT with , - * / ? L, or one day with # and 1 to 5",
};
pub(super) const YEAR: Field = Field {
    name: "year",
    low: 1970,
    high: 2199,
    names: &[],
    wraps: false,
    takes: "1970 to 2199 with , - * /",
};

impl Field {
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
        if let Some(at) = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text))
        {
            return Some(self.low + at as u16);
        }
        digits(text).filter(|number| (self.low..=self.high).contains(number))
    }

    fn numbers(&self, item: &str) -> Option<BTreeSet<u16>> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(digits(step).filter(|step| *step > 0)?)),
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
fn digits(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
