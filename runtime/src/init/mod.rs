//! `usher init` and `usher new function`: a project, or one more function, from the files under
//! `templates/`.
//!
//! [`create_project`] and [`add_function`] plan every file before the first is written. No existing
//! file is overwritten: `template.yaml` and `usher.toml` of a project get text inserted, keep the
//! rest byte for byte, and are replaced by renaming. On an error nothing is left behind.

mod error;
mod kind;
mod lambda_batch;
mod name;
mod piece;
mod planned;
mod settings_text;
mod template_text;
mod tree;
mod write;

use std::path::{Path, PathBuf};

pub use error::{InitError, NameError, TextError};
pub use kind::{Kind, Language, TriggerKind};
pub use name::FunctionName;
use planned::Values;
use sam_template::document::{Problems, parse_toml};
use sam_template::project;
use write::Change;

/// What to create.
#[derive(Debug)]
pub struct Wanted<'w> {
    /// The function.
    pub name: FunctionName,
    /// Its trigger and language.
    pub kind: Kind,
    /// `--lambda-batch`: a folder or a git URL.
    pub lambda_batch: Option<&'w str>,
}

/// What was created.
#[derive(Debug)]
pub struct Created {
    /// The files, relative to the project's folder.
    pub files: Vec<PathBuf>,
    /// A shell command that runs the function's test in the project's folder.
    pub test: String,
    /// A shell command that triggers the function while `usher up` runs; `None` if time does.
    pub send: Option<String>,
}

const SETTINGS: &str = "usher.toml";

/// Creates a project with one function in a folder, which is created if it is missing.
///
/// # Errors
/// A file exists already, the folder cannot be written, or lambda-batch is not found.
pub fn create_project(folder: &Path, wanted: &Wanted<'_>) -> Result<Created, InitError> {
    if let Some(template) = project::in_folder(folder) {
        return Err(InitError::HasTemplate(template));
    }
    let values = values(folder, None, wanted)?;
    let mut template = planned::TEMPLATE.to_owned();
    for piece in planned::template_pieces(wanted.kind) {
        template = template_text::insert(&template, project::TEMPLATES[0], &values.fill(piece))?;
    }
    let mut settings = values.fill(planned::SETTINGS);
    for piece in planned::settings_pieces(wanted.kind) {
        settings = settings_text::insert(&settings, SETTINGS, &values.fill(piece))?;
    }
    let mut changes: Vec<Change> = planned::function(wanted.kind, &values);
    changes.extend(planned::shared(wanted.kind, &values));
    changes.extend(planned::project(&values));
    changes.push(Change::create(SETTINGS, settings));
    changes.push(Change::create(project::TEMPLATES[0], template));
    write::apply(folder, &changes)?;
    Ok(created(&changes, wanted.kind, &values))
}

/// Adds a function to the project of this template.
///
/// # Errors
/// The name is taken, a file of the project is not understood, a file exists already, or one cannot
/// be written.
pub fn add_function(template: &Path, wanted: &Wanted<'_>) -> Result<Created, InitError> {
    if template
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        return Err(InitError::Json(template.to_owned()));
    }
    let folder = match template.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let before =
        write::read(template)?.ok_or_else(|| InitError::NoTemplate(template.to_owned()))?;
    let settings_file = folder.join(SETTINGS);
    let settings_before = write::read(&settings_file)?;

    let values = values(folder, settings_before.as_deref(), wanted)?;
    let shown = template.display().to_string();
    let mut after = before.clone();
    for piece in planned::template_pieces(wanted.kind) {
        after = template_text::insert(&after, &shown, &values.fill(piece))?;
    }
    let mut settings = settings_before
        .clone()
        .unwrap_or_else(|| values.fill(planned::SETTINGS));
    for piece in planned::settings_pieces(wanted.kind) {
        let file = settings_file.display().to_string();
        settings = settings_text::insert(&settings, &file, &values.fill(piece))?;
    }

    let mut changes: Vec<Change> = planned::function(wanted.kind, &values);
    for file in planned::shared(wanted.kind, &values) {
        if !folder.join(&file.path).exists() {
            changes.push(file);
        }
    }
    changes.push(match settings_before {
        Some(before) => Change::replace(SETTINGS, before, settings),
        None => Change::create(SETTINGS, settings),
    });
    let name = template.file_name().map_or(Path::new(""), Path::new);
    changes.push(Change::replace(name, before, after));
    changes.retain(|change| change.before.as_ref() != Some(&change.text));
    write::apply(folder, &changes)?;
    Ok(created(&changes, wanted.kind, &values))
}

fn created(changes: &[Change], kind: Kind, values: &Values) -> Created {
    Created {
        files: changes.iter().map(|change| change.path.clone()).collect(),
        test: values.fill(planned::test_command(kind.language)),
        send: planned::send_command(kind.trigger).map(|command| values.fill(command)),
    }
}

/// The values of the placeholders.
fn values(folder: &Path, settings: Option<&str>, wanted: &Wanted<'_>) -> Result<Values, InitError> {
    let lambda_batch = if wanted.kind.uses_lambda_batch() {
        lambda_batch::dependency(wanted.lambda_batch)?
    } else {
        String::new()
    };
    let problems = Problems::new(SETTINGS);
    let stack = settings.and_then(|text| {
        let root = parse_toml(text, &problems);
        Some(root.get("stack")?.text()?.to_owned())
    });
    let name = || {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        // `absolute` keeps `..`; a folder that exists has its real name.
        let absolute = absolute.canonicalize().unwrap_or(absolute);
        let name = absolute.file_name().unwrap_or_default().to_string_lossy();
        name::stack(&name)
    };
    Ok(Values {
        function: wanted.name.logical_id(),
        folder: wanted.name.folder().to_owned(),
        project: stack.unwrap_or_else(name),
        lambda_batch,
        kind: wanted.kind,
    })
}
