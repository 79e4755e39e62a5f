//! Errors of commands, and their exit codes.

use std::fmt;
use std::process::ExitCode;

use crate::terminal;
use sam_template::document::nearest;

/// Exit code of a command that did part of its work and reported the rest.
const IN_PART: u8 = 3;

/// The exit code of a command that reported what it could not do. `complete`: it did all of its
/// work; `in_part`: some of it.
pub(super) fn exit_code(complete: bool, in_part: bool) -> ExitCode {
    match (complete, in_part) {
        (true, _) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
        (false, true) => ExitCode::from(IN_PART),
    }
}

/// A message and its exit code.
#[derive(Debug)]
pub(super) struct CommandError {
    code: u8,
    message: String,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl CommandError {
    /// The configuration or the arguments are invalid.
    pub(super) fn configuration(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { code: 2, message }
    }

    /// The command failed.
    pub(super) fn failure(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        Self { code: 1, message }
    }

    /// An argument names nothing that exists: the message, the most similar name, and all of them.
    pub(super) fn unknown(message: &str, name: &str, listed: &str, known: &[&str]) -> Self {
        let hint = nearest(name, known.iter().copied())
            .map(|near| format!(" Did you mean {near}?"))
            .unwrap_or_default();
        let all = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let message = format!("{message}{hint} {listed}: {all}.");
        Self::configuration(terminal::line(&message))
    }

    /// Every problem of template, settings and preflight checks, in one message.
    pub(super) fn problems(found: &[String]) -> Self {
        // Further lines of a problem are indented.
        let lines: Vec<String> = found
            .iter()
            .map(|problem| format!("  {}", problem.replace('\n', "\n    ")))
            .collect();
        let count = if found.len() == 1 {
            "one problem".to_owned()
        } else {
            format!("{} problems", found.len())
        };
        Self::configuration(format!(
            "{count}, nothing was started:\n{}",
            lines.join("\n")
        ))
    }

    /// Prints the message and returns the code.
    pub(super) fn report(self) -> ExitCode {
        // Escaped, so that text from outside cannot imitate a line of the log.
        let indented = |line: &str| {
            if line.is_empty() || line.starts_with(' ') {
                line.to_owned()
            } else {
                format!("  {line}")
            }
        };
        let (first, rest) = self.message.split_once('\n').unwrap_or((&self.message, ""));
        let lines: Vec<String> = [first.to_owned()]
            .into_iter()
            .chain(rest.lines().map(indented))
            .collect();
        terminal::report(&format!("usher: {}\n", lines.join("\n")));
        ExitCode::from(self.code)
    }
}
