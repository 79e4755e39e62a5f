//! `LoggingConfig` of a function (data type of that name in Lambda's API reference).

use crate::document::{Problems, Reader};
use crate::model::{LogFormat, LogLevel, Logging};

/// Longest name of a log group, characters.
const MAX_LOG_GROUP: usize = 512;

/// Reads the configuration, if the function (or Globals) has one.
pub(super) fn read(function: &Reader<'_>, problems: &mut Problems) -> Logging {
    let mut logging = Logging::default();
    let Some(config) = function.child("LoggingConfig", problems) else {
        return logging;
    };
    config.only(
        &[
            "LogFormat",
            "ApplicationLogLevel",
            "SystemLogLevel",
            "LogGroup",
        ],
        problems,
    );
    logging.format = one_of(
        &config,
        "LogFormat",
        [LogFormat::Text, LogFormat::Json].map(|f| (f.to_string(), f)),
        problems,
    );
    let levels = |from: &[LogLevel]| {
        from.iter()
            .map(|level| (level.word().to_owned(), *level))
            .collect::<Vec<_>>()
    };
    let application = one_of(
        &config,
        "ApplicationLogLevel",
        levels(&LogLevel::ALL),
        problems,
    );
    let system = one_of(
        &config,
        "SystemLogLevel",
        levels(&[LogLevel::Debug, LogLevel::Info, LogLevel::Warn]),
        problems,
    );
    let named = [
        ("ApplicationLogLevel", application),
        ("SystemLogLevel", system),
    ];
    if let Some((key, _)) = named.iter().find(|(_, level)| level.is_some())
        && logging.format != Some(LogFormat::Json)
    {
        problems.error(
            config.line(key),
            format!(
                "{}: {key} needs LogFormat JSON; the service refuses it with text (\"LogLevel is \
                 not supported when LogFormat is set to Text\"). Write `LogFormat: JSON`, or leave \
                 {key} out.",
                config.what
            ),
        );
    }
    logging.application = application.unwrap_or_default();
    logging.system = system.unwrap_or_default();
    logging.group = config.text("LogGroup", problems).map(str::to_owned);
    if let Some(group) = logging.group.as_deref().filter(|group| !is_group(group)) {
        problems.error(
            config.line("LogGroup"),
            format!(
                "{}: '{group}' cannot name a log group. Use at most {MAX_LOG_GROUP} letters, \
                 digits and . - _ / #; `!Ref` of an AWS::Logs::LogGroup yields its name, `!GetAtt` \
                 its ARN.",
                config.what
            ),
        );
    }
    logging
}

/// The value of an enumerated key.
fn one_of<T>(
    reader: &Reader<'_>,
    key: &str,
    known: impl IntoIterator<Item = (String, T)>,
    problems: &mut Problems,
) -> Option<T> {
    let written = reader.text(key, problems)?;
    let mut words = Vec::new();
    for (word, value) in known {
        if word == written {
            return Some(value);
        }
        words.push(word);
    }
    problems.error(
        reader.line(key),
        format!(
            "{}: {key} is {}, not '{written}'.",
            reader.what,
            words.join(" or ")
        ),
    );
    None
}

fn is_group(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_LOG_GROUP
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-_/#".contains(c))
}
