//! Runs the tools of a language.

use std::process::{Command, Stdio};

use super::ScriptError;

/// Lines of a tool's output that an error shows.
const SHOWN_LINES: usize = 25;

/// Runs a command to its end, silently.
///
/// # Errors
/// It does not start, or fails: the command, the end of its output, and the remedy.
pub(super) fn run(command: &mut Command, remedy: &'static str) -> Result<(), ScriptError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments = command.get_args().map(|text| text.to_string_lossy());
    let shown = arguments.fold(program.clone(), |shown, text| format!("{shown} {text}"));
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| ScriptError::NotRun {
            program,
            error,
            remedy,
        })?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    let lines: Vec<&str> = printed.trim_end().lines().collect();
    let last = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
    Err(ScriptError::Failed {
        command: shown,
        output: last.join("\n"),
        remedy,
    })
}
