//! `LoggingConfig` of a function: format of its log, and levels that filter lines.

/// A function's `LoggingConfig`. The default is that of AWS: plain text, no filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Logging {
    /// `LogFormat`; `None` means text.
    pub format: Option<LogFormat>,
    /// `ApplicationLogLevel`: with JSON, drops the function's lines below it.
    pub application: LogLevel,
    /// `SystemLogLevel` (`Debug`, `Info` or `Warn`): with JSON, drops platform records below it.
    pub system: LogLevel,
    /// `LogGroup`; `None`: `/aws/lambda/NAME`.
    pub group: Option<String>,
}

impl Logging {
    /// Whether platform lines are JSON records and levels apply.
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

impl LogFormat {
    /// The spelling of AWS.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        }
    }
}

/// A log level, most detailed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// `TRACE`
    Trace,
    /// `DEBUG`
    Debug,
    /// `INFO`, the default of AWS.
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
    /// Every level, most detailed first.
    pub const ALL: [Self; 6] = [
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// The spelling of AWS.
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
