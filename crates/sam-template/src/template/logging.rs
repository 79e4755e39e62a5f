//! `LoggingConfig` of a function (data type of that name in Lambda's API reference).

use crate::document::{Reader, is_name};
use crate::model::{LogFormat, LogLevel, Logging};

/// Longest name of a log group, characters.
const MAX_LOG_GROUP: usize = 512;

/// Reads the configuration, if the function (or Globals) has one.
pub(super) fn read(function: &Reader<'_>) -> Logging {
    let mut logging = Logging::default();
    let Some(config) = function.child("LoggingConfig") else {
        return logging;
    };
    config.only("LogFormat ApplicationLogLevel SystemLogLevel LogGroup");
    let formats = [LogFormat::Text, LogFormat::Json].map(|format| (format.word(), format));
    logging.format = one_of(&config, "LogFormat", &formats);
    let with_word = |level: LogLevel| (level.word(), level);
    let application = one_of(
        &config,
        "ApplicationLogLevel",
        &LogLevel::ALL.map(with_word),
    );
    let of_system = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn].map(with_word);
    let system = one_of(&config, "SystemLogLevel", &of_system);
    let named = [
        ("ApplicationLogLevel", application),
        ("SystemLogLevel", system),
    ];
    if let Some((key, _)) = named.iter().find(|(_, level)| level.is_some())
        && logging.format != Some(LogFormat::Json)
    {
        let message = format!(
            "{key} needs LogFormat JSON; the service refuses it with text (\"LogLevel is not \
             supported when LogFormat is set to Text\"). Write `LogFormat: JSON`, or leave {key} \
             out."
        );
        config.error(key, &message);
    }
    logging.application = application.unwrap_or_default();
    logging.system = system.unwrap_or_default();
    logging.group = config.string("LogGroup");
    let invalid = |group: &&String| !is_name(group, ".-_/#", MAX_LOG_GROUP);
    if let Some(group) = logging.group.as_ref().filter(invalid) {
        let message = format!(
            "'{group}' cannot name a log group. Use at most {MAX_LOG_GROUP} letters, digits and \
             . - _ / #; `!Ref` of an AWS::Logs::LogGroup yields its name, `!GetAtt` its ARN."
        );
        config.error("LogGroup", &message);
    }
    logging
}

/// The value of an enumerated key.
fn one_of<T: Copy>(reader: &Reader<'_>, key: &str, known: &[(&str, T)]) -> Option<T> {
    let written = reader.text(key)?;
    let found = known.iter().find(|(word, _)| *word == written);
    if found.is_none() {
        let words: Vec<&str> = known.iter().map(|(word, _)| *word).collect();
        let message = format!("{key} is {}, not '{written}'.", words.join(" or "));
        reader.error(key, &message);
    }
    found.map(|(_, value)| *value)
}
