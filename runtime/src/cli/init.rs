//! `usher init` and `usher new function`: create a project, or one more function in it.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::error::CommandError;
use super::project_arguments::{InitArguments, NewCommand};
use super::settings::print;
use crate::init::{self, Created, InitError, Wanted};
use crate::terminal;

/// `usher init`.
pub(super) fn project(arguments: &InitArguments) -> Result<ExitCode, CommandError> {
    let wanted = arguments.kind.wanted(&arguments.function);
    let created = init::create_project(&arguments.folder, &wanted).map_err(refused)?;
    report(&created, &wanted, Some(&arguments.folder))
}

/// `usher new`.
pub(super) fn add(command: &NewCommand) -> Result<ExitCode, CommandError> {
    let NewCommand::Function(arguments) = command;
    let wanted = arguments.kind.wanted(&arguments.name);
    let created = init::add_function(&arguments.template, &wanted).map_err(refused)?;
    report(&created, &wanted, None)
}

fn refused(error: InitError) -> CommandError {
    match error {
        InitError::File { .. } | InitError::Changed(_) => CommandError::failure(error),
        _ => CommandError::configuration(error),
    }
}

/// Prints the files, and the commands that come next. `folder`: that of a new project.
fn report(
    created: &Created,
    wanted: &Wanted<'_>,
    folder: Option<&Path>,
) -> Result<ExitCode, CommandError> {
    let mut out = String::new();
    let is_new = folder.is_some();
    let title = if is_new { "a project" } else { "a function" };
    let _ = writeln!(out, "Created {title}:");
    for file in &created.files {
        let name = file.display().to_string();
        let _ = writeln!(out, "  {}", terminal::line(&name));
    }
    let _ = writeln!(out, "\nNext:");
    if let Some(folder) = folder.filter(|folder| *folder != Path::new(".")) {
        let _ = writeln!(out, "  cd {}", shell_word(&folder.display().to_string()));
    }
    let (id, name) = (wanted.name.logical_id(), wanted.name.folder());
    let _ = writeln!(out, "  {}", created.test);
    let _ = writeln!(out, "  usher invoke {id} -e events/{name}/one.json");
    let _ = writeln!(out, "  usher up");
    if let Some(send) = &created.send {
        let _ = writeln!(out, "  {send}   # while it runs, in another terminal");
    }
    print(&out)?;
    let missing = wanted.kind.language.programs().iter();
    let missing: Vec<&str> = missing
        .copied()
        .filter(|program| !installed(program))
        .collect();
    if !missing.is_empty() {
        terminal::report(&format!(
            "usher: not installed on this machine, and needed: {}.\n",
            missing.join(", ")
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// A text as one word of a shell.
fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    if text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
