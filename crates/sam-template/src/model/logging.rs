//! `LoggingConfig` of a function: how its log is written, and which lines are.

use std::fmt;

/// A function's `LoggingConfig`. The default is the service's: plain text, nothing filtered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logging {
    /// `LogFormat`; `None`: the template names none, which means text.
    pub format: Option<LogFormat>,
    /// `ApplicationLogLevel`: lines of the function below it are left out where the format is JSON.
    pub application: LogLevel,
    /// `SystemLogLevel`: records of the platform below it are left out where the format is JSON. `Debug`, `Info` or `Warn`.
    pub system: LogLevel,
    /// `LogGroup`; `None`: `/aws/lambda/` and the function's name.
    pub group: Option<String>,
}

impl Logging {
    /// The platform's lines are JSON records, and levels count.
    pub fn is_json(&self) -> bool {
        self.format == Some(LogFormat::Json)
    }
}

/// `LogFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `Text`
    Text,
    /// `JSON`
    Json,
}

impl fmt::Display for LogFormat {
    /// The service's spelling.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        })
    }
}

/// A level of detail, the most detailed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// `TRACE`
    Trace,
    /// `DEBUG`
    Debug,
    /// `INFO`: the service's default.
    #[default]
    Info,
    /// `WARN`
    Warn,
    /// `ERROR`
    Error,
    /// `FATAL`
    Fatal,
}

impl LogLevel {
    /// Every level, the most detailed first.
    pub const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// The service's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}
