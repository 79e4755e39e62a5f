//! `usher settings`, `set`, `pause` and `resume`: list and change settings of the running host.

use std::fmt::Write as _;
use std::process::ExitCode;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::control_address::control_address;
use super::error::CommandError;
use super::operations::{HostArguments, PauseArguments, SetArguments};
use super::prepare;
use super::shown;
use crate::client::{ControlClient, ControlReply};
use crate::terminal;
use sam_template::project::{Arguments, Project};
use sam_template::project::{HOST, SettingChange};

const PATH: &str = "/_usher/settings";

/// Lists the settings.
pub(super) fn list(arguments: &HostArguments) -> Result<ExitCode, CommandError> {
    let client = client(arguments)?;
    let found = response(prepare::runtime()?.block_on(client.get(PATH)))?;
    print(&table(&found))
}

/// Applies changes in order, up to the first that is refused.
pub(super) fn set(arguments: &SetArguments) -> Result<ExitCode, CommandError> {
    let changes = parse_changes(&arguments.words).map_err(CommandError::configuration)?;
    apply(&arguments.host, &changes)
}

/// Pauses or resumes a source.
pub(super) fn pause(arguments: &PauseArguments, paused: bool) -> Result<ExitCode, CommandError> {
    let (setting, value) = match &arguments.partition {
        None => ("paused", paused.to_string()),
        Some(partition) => (
            "paused-partitions",
            format!("{}{partition}", if paused { '+' } else { '-' }),
        ),
    };
    let change = SettingChange {
        target: arguments.source.clone(),
        setting: setting.to_owned(),
        value,
    };
    apply(&arguments.host, &[change])
}

fn apply(host: &HostArguments, changes: &[SettingChange]) -> Result<ExitCode, CommandError> {
    let client = client(host)?;
    let runtime = prepare::runtime()?;
    let who = user();
    let mut out = String::new();
    for change in changes {
        let body = json!(change);
        let answer = response(runtime.block_on(client.change(PATH, &who, &body)))?;
        let applied = &answer["change"];
        let words = if applied.is_null() {
            "unchanged".to_owned()
        } else {
            format!("{} -> {}", plain(&applied["old"]), plain(&applied["new"]))
        };
        let _ = writeln!(out, "{} {}: {words}", change.target, change.setting);
    }
    print(&out)
}

/// The user who makes a change, for the host's log.
pub(super) fn user() -> String {
    std::env::var("USER").map_or_else(
        |_| "command line".to_owned(),
        |user| format!("{user}, command line"),
    )
}

fn client(arguments: &HostArguments) -> Result<ControlClient, CommandError> {
    let project = Project::check(&arguments.template, &Arguments::default()).project;
    let state = arguments.state.folder(&arguments.template);
    let address = control_address(arguments.control.as_deref(), &state, project.control)?;
    address.map(ControlClient::at).ok_or_else(|| {
        CommandError::configuration(
            "no control address. Write control = \"127.0.0.1:18090\" into usher.toml, or pass \
             --control ADDRESS to usher up; a host with another --state folder is found with the \
             same --state",
        )
    })
}

fn response(reply: ControlReply) -> Result<Value, CommandError> {
    match reply {
        ControlReply::Answer(value) => Ok(value),
        ControlReply::Refused(why) => Err(CommandError::configuration(why)),
        ControlReply::Unreachable(why) => Err(CommandError::failure(format!(
            "no host responds ({why}). Start it with usher up"
        ))),
    }
}

/// Why the words of `usher set` are no changes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ChangeError {
    #[error(
        "nothing to set of {0}. Write SETTING=VALUE, such as batch-size=500; usher settings lists \
         them"
    )]
    Nothing(String),
    #[error("'{0}' is no SETTING=VALUE, such as batch-size=500")]
    NoPair(String),
}

/// `TARGET setting=value ...`, or `setting=value ...` of the host.
fn parse_changes(words: &[String]) -> Result<Vec<SettingChange>, ChangeError> {
    let (target, pairs) = match words.split_first() {
        Some((first, rest)) if !first.contains('=') => (first.as_str(), rest),
        _ => (HOST, words),
    };
    if pairs.is_empty() {
        return Err(ChangeError::Nothing(target.to_owned()));
    }
    let one = |pair: &String| {
        let (setting, value) = pair
            .split_once('=')
            .ok_or_else(|| ChangeError::NoPair(pair.clone()))?;
        Ok(SettingChange {
            target: target.to_owned(),
            setting: setting.to_owned(),
            value: value.to_owned(),
        })
    };
    pairs.iter().map(one).collect()
}

fn table(found: &Value) -> String {
    let mut out = String::new();
    for one in found["settings"].as_array().into_iter().flatten() {
        let value = plain(&one["value"]);
        let initial = plain(&one["initial"]);
        let note = if value == initial {
            String::new()
        } else {
            format!("  (at the start {initial})")
        };
        let _ = writeln!(
            out,
            "{:32} {:16} {value}{note}",
            plain(&one["target"]),
            plain(&one["setting"])
        );
    }
    let mut head = "\nchanges, newest first (UTC)\n";
    for one in found["changes"].as_array().into_iter().flatten() {
        let when = one["at_ms"].as_i64().map(Timestamp::from_millisecond);
        let when = when.and_then(Result::ok);
        let when = shown(when.map(|when| when.strftime("%F %T")), "");
        let words = ["target", "setting", "old", "new", "who"].map(|name| plain(&one[name]));
        let [target, setting, old, new, who] = words;
        let _ = writeln!(
            out,
            "{head}{when}  {target} {setting}: {old} -> {new}  ({who})"
        );
        head = "";
    }
    out
}

/// A JSON value without quotes, escaped to one line: it may come from another program.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(
        || value.to_string(),
        |text| terminal::line(text).into_owned(),
    )
}

/// Prints text to standard output.
pub(super) fn print(text: &str) -> Result<ExitCode, CommandError> {
    terminal::print(text)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| CommandError::failure(format!("cannot print: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_without_a_time_has_no_date() {
        let change = |at_ms: Value| json!({ "at_ms": at_ms, "target": "F", "setting": "concurrency", "old": 1, "new": 2, "who": "x" });
        let changes = [change(json!(1_795_370_400_000_i64)), change(Value::Null)];
        let text = table(&json!({ "settings": [], "changes": changes }));
        let (_, changes) = text.split_once("newest first (UTC)\n").unwrap();
        assert_eq!(
            changes,
            "2026-11-22 18:00:00  F concurrency: 1 -> 2  (x)\n  F concurrency: 1 -> 2  (x)\n"
        );
    }

    #[test]
    fn words_parse_to_changes() {
        let read = |words: &[&str]| {
            parse_changes(
                &words
                    .iter()
                    .map(|&word| word.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let change = |target: &str, setting: &str, value: &str| SettingChange {
            target: target.into(),
            setting: setting.into(),
            value: value.into(),
        };
        assert_eq!(
            read(&["log=debug,rdkafka=info"]),
            Ok(vec![change("host", "log", "debug,rdkafka=info")])
        );
        assert_eq!(
            read(&["F", "concurrency=3"]),
            Ok(vec![change("F", "concurrency", "3")])
        );
        let nothing = read(&["F"]).unwrap_err().to_string();
        assert!(nothing.contains("nothing to set of F"), "{nothing}");
        assert!(
            read(&["F", "concurrency"])
                .unwrap_err()
                .to_string()
                .contains("SETTING=VALUE")
        );
    }
}
