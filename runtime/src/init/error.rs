//! Why a project or a function was not created.

use std::io;
use std::path::PathBuf;

/// A name that no function can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Other characters.
    #[error(
        "{0:?} cannot name a function. Write letters and digits, beginning with a letter, with \
         hyphens between words: send-mail"
    )]
    Invalid(String),
    /// Too long.
    #[error("{0:?} is longer than {1} characters. Write a shorter name")]
    Long(String, usize),
    /// A word of a language.
    #[error("{0:?} is a reserved word, which cannot name a crate or a module. Write another name")]
    Reserved(String),
}

/// Nothing was created.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The folder is a project already.
    #[error(
        "{} exists: this folder has a project. `usher new function NAME` adds a function to it; \
         `usher init FOLDER` creates another project.", .0.display()
    )]
    HasTemplate(PathBuf),
    /// The folder is no project.
    #[error(
        "there is no {}. Run this in the folder of a project, or create one: `usher init FOLDER`.",
        .0.display()
    )]
    NoTemplate(PathBuf),
    /// A template in JSON has no comments or lines to keep.
    #[error(
        "{} is JSON. Functions are added to templates in YAML only.", .0.display()
    )]
    Json(PathBuf),
    /// Files would be overwritten.
    #[error("nothing was written, since these exist:{}", listed(.0))]
    Exists(Vec<PathBuf>),
    /// A file of the project is not understood.
    #[error("nothing was written: {0}")]
    Text(#[from] TextError),
    /// The crate lambda-batch is not where it should be.
    #[error(
        "{place} has no crate lambda-batch, which functions in Rust with batches use, and which is \
         in no registry. Name the folder `crates/lambda-batch` of a checkout of Usher, or the git \
         URL of its repository, with --lambda-batch; or choose another --language."
    )]
    NoLambdaBatch {
        /// Where it was expected.
        place: String,
    },
    /// A file or folder cannot be read or written.
    #[error("nothing was written: {}: {error}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// A file was changed while this command ran.
    #[error("nothing was written: {} was changed meanwhile. Run it again.", .0.display())]
    Changed(PathBuf),
}

/// A file into which nothing can be inserted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The file has errors.
    #[error("{0}")]
    Unreadable(String),
    /// The name is taken.
    #[error("{file}:{line}: {key} exists. Choose another name.")]
    Taken {
        /// The file.
        file: String,
        /// Line of the key.
        line: usize,
        /// The key.
        key: String,
    },
    /// The section is written in another form.
    #[error(
        "{file}:{line}: {section} is not a block, with its entries on the lines below it. Write it \
         so, or add these lines yourself:\n{lines}"
    )]
    NotBlock {
        /// The file.
        file: String,
        /// Line of the section.
        line: usize,
        /// Its key.
        section: String,
        /// What would have been inserted.
        lines: String,
    },
    /// The result would not mean the old text and the new lines.
    #[error(
        "{file} has a form into which lines cannot be inserted safely. Add these yourself:\n{lines}"
    )]
    NotUnderstood {
        /// The file.
        file: String,
        /// What would have been inserted.
        lines: String,
    },
}

fn listed(files: &[PathBuf]) -> String {
    let lines = files.iter().map(|file| format!("\n  {}", file.display()));
    lines.collect()
}

/// Lines to write by hand, as a message shows them.
pub(super) fn indented(lines: &str) -> String {
    let lines: Vec<String> = lines.lines().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}
