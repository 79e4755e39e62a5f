//! How a run ends badly.

use std::fmt;
use std::process::ExitCode;

use crate::terminal;

/// The exit code of a command that did a part of its work; it says what is left and why.
pub(super) const IN_PART: u8 = 3;

/// One message, and the exit code that goes with it.
#[derive(Debug)]
pub(super) struct Wrong {
    code: u8,
    message: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Wrong {
    /// What the user wrote cannot be run.
    pub(super) fn configuration(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            message: message.into(),
        }
    }

    /// The run itself failed.
    pub(super) fn failure(message: impl Into<String>) -> Self {
        Self {
            code: 1,
            message: message.into(),
        }
    }

    /// Every problem of the template, of what stands beside it and of the surroundings, in one message.
    pub(super) fn problems(found: &[String]) -> Self {
        // a problem of several lines stays one entry
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

    /// Prints the message and yields the code.
    pub(super) fn report(self) -> ExitCode {
        // a line that came from outside cannot look like one of the log's
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
