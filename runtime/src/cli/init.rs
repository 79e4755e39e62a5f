//! `usher init` and `usher new function`: create a project, or one more function in it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::error::CommandError;
use super::settings::print;
use crate::init::{self, Created, FunctionName, InitError, Kind, Language, Trigger, Wanted};
use crate::terminal;
use sam_template::project;

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Folder of the project; it is created if it is missing, and no file in it is overwritten
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Name of the function
    #[arg(long, value_name = "NAME", default_value = "hello")]
    function: FunctionName,
    #[command(flatten)]
    kind: KindArguments,
}

#[derive(Debug, Subcommand)]
pub(super) enum NewCommand {
    /// Add a function: its folder, its sample events, and its resources in the template, whose
    /// comments and form stay
    Function(FunctionArguments),
}

#[derive(Debug, Args)]
pub(super) struct FunctionArguments {
    /// Name of the function: `send-mail` or `SendMail`
    #[arg(value_name = "NAME")]
    name: FunctionName,
    #[command(flatten)]
    kind: KindArguments,
    /// The SAM template. Without it: template.yaml or template.yml of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    template: PathBuf,
}

#[derive(Debug, Args)]
struct KindArguments {
    /// What invokes the function
    #[arg(long, value_enum, value_name = "TRIGGER", default_value = "http")]
    trigger: Trigger,
    /// What the function is written in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "rust")]
    language: Language,
    /// Where functions in Rust with batches find the crate lambda-batch: a folder or a git URL
    /// [default: the checkout that usher was built from]
    #[arg(long, value_name = "FOLDER|URL")]
    lambda_batch: Option<String>,
}

impl KindArguments {
    fn wanted(&self, name: &FunctionName) -> Wanted<'_> {
        Wanted {
            name: name.clone(),
            kind: Kind {
                trigger: self.trigger,
                language: self.language,
            },
            lambda_batch: self.lambda_batch.as_deref(),
        }
    }
}

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
