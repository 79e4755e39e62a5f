//! `usher settings`, `set`, `pause`, `resume`: asks the running host, or tells it.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde_json::Value;

use super::exit::Wrong;
use super::operations::{Running, Set, Switched};
use super::prepare;
use crate::control::{Asked, Client};
use crate::project::{Arguments, Project};
use crate::terminal;
use crate::tuning::{HOST, SettingChange};

const PATH: &str = "/_usher/settings";

/// Lists.
pub(super) fn list(arguments: &Running) -> Result<ExitCode, Wrong> {
    let client = client(arguments)?;
    let told = understood(prepare::runtime()?.block_on(client.get(PATH)))?;
    print(&table(&told))
}

/// Changes, all or up to the first that is refused.
pub(super) fn set(arguments: &Set) -> Result<ExitCode, Wrong> {
    let wishes = wishes(&arguments.words).map_err(Wrong::configuration)?;
    tell(&arguments.host, &wishes)
}

/// Pauses a source, or has it go on.
pub(super) fn pause(arguments: &Switched, paused: bool) -> Result<ExitCode, Wrong> {
    let (setting, value) = match &arguments.partition {
        None => ("paused", paused.to_string()),
        Some(partition) => (
            "paused-partitions",
            format!("{}{partition}", if paused { '+' } else { '-' }),
        ),
    };
    let wish = SettingChange {
        target: arguments.source.clone(),
        setting: setting.to_owned(),
        value,
    };
    tell(&arguments.host, &[wish])
}

fn tell(host: &Running, wishes: &[SettingChange]) -> Result<ExitCode, Wrong> {
    let client = client(host)?;
    let runtime = prepare::runtime()?;
    let who = user();
    let mut out = String::new();
    for wish in wishes {
        let body = serde_json::to_value(wish).map_err(|error| Wrong::failure(error.to_string()))?;
        let answer = understood(runtime.block_on(client.change(PATH, &who, &body)))?;
        let change = &answer["change"];
        let words = if change.is_null() {
            "is so already".to_owned()
        } else {
            format!("{} -> {}", plain(&change["old"]), plain(&change["new"]))
        };
        let _ = writeln!(out, "{} {}: {words}", wish.target, wish.setting);
    }
    print(&out)
}

/// Who makes a change, for the host's log.
pub(super) fn user() -> String {
    std::env::var("USER").map_or_else(
        |_| "command line".to_owned(),
        |user| format!("{user}, command line"),
    )
}

fn client(arguments: &Running) -> Result<Client, Wrong> {
    let address = match &arguments.control {
        Some(text) => Some(text.parse().map_err(|_| {
            Wrong::configuration(format!("--control {text} is no address. Write host address and port, such as 127.0.0.1:18090."))
        })?),
        None => Project::examine(&arguments.template, &Arguments::default()).project.control,
    };
    address.map(Client::at).ok_or_else(|| {
        Wrong::configuration("where the host is told is not known. Write control = \"127.0.0.1:18090\" into usher.toml, or say --control ADDRESS to usher up and to this command")
    })
}

fn understood(asked: Asked) -> Result<Value, Wrong> {
    match asked {
        Asked::Answer(value) => Ok(value),
        Asked::Refused(why) => Err(Wrong::configuration(why)),
        Asked::Nobody(why) => Err(Wrong::failure(format!(
            "no host answers ({why}). Start it with usher up"
        ))),
    }
}

/// `TARGET setting=value ...`, or `setting=value ...` of the host.
fn wishes(words: &[String]) -> Result<Vec<SettingChange>, String> {
    let (target, pairs) = match words.split_first() {
        Some((first, rest)) if !first.contains('=') => (first.as_str(), rest),
        _ => (HOST, words),
    };
    if pairs.is_empty() {
        return Err(format!(
            "nothing to set of {target}. Write SETTING=VALUE, such as batch-size=500; usher settings lists them"
        ));
    }
    let one = |pair: &String| {
        let (setting, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("'{pair}' is no SETTING=VALUE, such as batch-size=500"))?;
        Ok(SettingChange {
            target: target.to_owned(),
            setting: setting.to_owned(),
            value: value.to_owned(),
        })
    };
    pairs.iter().map(one).collect()
}

fn table(told: &Value) -> String {
    let mut out = String::new();
    for one in told["settings"].as_array().into_iter().flatten() {
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
    let changes = told["changes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (at, one) in changes.iter().enumerate() {
        let when = one["at_ms"]
            .as_i64()
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let when = when
            .map(|when| when.strftime("%F %T").to_string())
            .unwrap_or_default();
        let head = if at == 0 {
            "\nchanges, newest first (UTC)\n"
        } else {
            ""
        };
        let words = ["target", "setting", "old", "new", "who"].map(|name| plain(&one[name]));
        let [target, setting, old, new, who] = words;
        let _ = writeln!(
            out,
            "{head}{when}  {target} {setting}: {old} -> {new}  ({who})"
        );
    }
    out
}

/// Without the quotes of JSON, on one line: a name or a value may come from another program.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(
        || value.to_string(),
        |text| terminal::line(text).into_owned(),
    )
}

/// Prints text for a person to standard output.
pub(super) fn print(text: &str) -> Result<ExitCode, Wrong> {
    terminal::print(text)
        .map(|()| ExitCode::SUCCESS)
        .map_err(|error| Wrong::failure(format!("cannot print: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_wishes() {
        let read = |words: &[&str]| {
            wishes(
                &words
                    .iter()
                    .map(|&word| word.to_owned())
                    .collect::<Vec<_>>(),
            )
        };
        let wish = |target: &str, setting: &str, value: &str| SettingChange {
            target: target.into(),
            setting: setting.into(),
            value: value.into(),
        };
        assert_eq!(
            read(&["log=debug,rdkafka=info"]),
            Ok(vec![wish("host", "log", "debug,rdkafka=info")])
        );
        assert_eq!(
            read(&["F", "concurrency=3"]),
            Ok(vec![wish("F", "concurrency", "3")])
        );
        assert!(read(&["F"]).unwrap_err().contains("nothing to set of F"));
        assert!(
            read(&["F", "concurrency"])
                .unwrap_err()
                .contains("SETTING=VALUE")
        );
    }
}
