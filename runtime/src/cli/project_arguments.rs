//! Arguments of the commands that create projects and functions, and of those about `usher` itself.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::init::{FunctionName, Kind, Language, TriggerKind, Wanted};
use sam_template::project;

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Folder of the project; it is created if it is missing, and no file in it is overwritten
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub(super) folder: PathBuf,
    /// Name of the function
    #[arg(long, value_name = "NAME", default_value = "hello")]
    pub(super) function: FunctionName,
    #[command(flatten)]
    pub(super) kind: KindArguments,
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
    pub(super) name: FunctionName,
    #[command(flatten)]
    pub(super) kind: KindArguments,
    /// The SAM template. Without it: template.yaml or template.yml of this folder
    #[arg(short, long, value_name = "FILE", default_value_os_t = project::template_file())]
    pub(super) template: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct KindArguments {
    /// What invokes the function
    #[arg(long, value_enum, value_name = "TRIGGER", default_value = "http")]
    trigger: TriggerKind,
    /// What the function is written in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "rust")]
    language: Language,
    /// Where functions in Rust with batches find the crate lambda-batch: a folder or a git URL
    /// [default: the checkout that usher was built from]
    #[arg(long, value_name = "FOLDER|URL")]
    lambda_batch: Option<String>,
}

impl KindArguments {
    /// What these arguments describe, with a function of this name.
    pub(super) fn wanted(&self, name: &FunctionName) -> Wanted<'_> {
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

#[derive(Debug, Args)]
pub(super) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(super) shell: CompletedShell,
}

/// A shell with completions.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum CompletedShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

#[derive(Debug, Args)]
pub(super) struct ManArguments {
    /// Write `usher.1`, and a page for each command, into this folder, which must exist
    #[arg(long, value_name = "FOLDER")]
    pub(super) into: Option<PathBuf>,
}
