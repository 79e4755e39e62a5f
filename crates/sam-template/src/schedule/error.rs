//! Errors of schedule expressions.

/// An invalid expression. The text continues a sentence that starts with the expression; that of
/// [`Self::Zone`] is a sentence of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// None of the three forms.
    #[error(
        "is not a schedule. Write rate(5 minutes), cron(0 12 * * ? *) or at(2030-01-31T12:00:00)."
    )]
    Form,
    /// `rate()` without a positive whole number and a unit.
    #[error("is not a rate. Write rate(1 minute), rate(5 minutes), rate(2 hours) or rate(1 day).")]
    Rate,
    /// `rate(1 minutes)`, `rate(2 minute)`.
    #[error("is not a rate: the unit's number is wrong. Write rate({0} {1}).")]
    Plural(i64, String),
    /// `rate(1 seconds)`, `rate(2 second)`: in a template the corrected form would be refused as
    /// well.
    #[error(
        "is not a rate: the unit's number is wrong, and the service does not support seconds. \
         Write minutes, hours or days in a template, rate({0} {1}) only in usher.toml under \
         [schedules]."
    )]
    PluralSeconds(i64, String),
    /// A rate in seconds in a template.
    #[error(
        "is in seconds, which the service does not support. Write minutes, hours or days here, \
         and the seconds for this machine in usher.toml under [schedules]."
    )]
    Seconds,
    /// `at()` on a rule.
    #[error(
        "fires once, which only ScheduleV2 events can. Write rate() or cron(), or `Type: \
         ScheduleV2`."
    )]
    OnceOnRule,
    /// `at()` without a civil time.
    #[error(
        "is not a time as at() takes it: yyyy-mm-ddThh:mm:ss, without offset, Z, fraction or \
         blanks. Write at(2030-01-31T12:00:00), and the time zone as ScheduleExpressionTimezone."
    )]
    At,
    /// `cron()` without exactly six fields.
    #[error(
        "has {0} fields. Write six: minute, hour, day of month, month, day of week, year, as in \
         cron(0 12 * * ? *)."
    )]
    Fields(usize),
    /// `?` for both days.
    #[error("has ? for both days. Write * for the day of month: cron(0 12 * * ? *).")]
    NoDay,
    /// No `?` for either day.
    #[error(
        "sets the day of month and the day of week, which exclude each other. Write ? for one of \
         them."
    )]
    BothDays,
    /// A field with an invalid value.
    #[error(
        "is not a cron expression: {field} is {text}, and takes {takes}. The fields are minute, \
         hour, day of month, month, day of week (1 is Sunday), year."
    )]
    Field {
        /// The field's name.
        field: &'static str,
        /// The invalid part.
        text: String,
        /// The valid values.
        takes: &'static str,
    },
    /// No such time zone.
    #[error("there is no time zone {0}. Write an IANA name such as Europe/Madrid, or UTC.")]
    Zone(String),
}
