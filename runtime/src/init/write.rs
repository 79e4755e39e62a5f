//! Writes all planned files, or none.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::InitError;

/// A file to create or to replace.
#[derive(Debug)]
pub(super) struct Change {
    /// Relative to the project's folder.
    pub(super) path: PathBuf,
    /// The text that it will have.
    pub(super) text: String,
    /// The text that it has; `None`: it must not exist.
    pub(super) before: Option<String>,
    executable: bool,
}

impl Change {
    /// A new file.
    pub(super) fn create(path: impl Into<PathBuf>, text: String) -> Self {
        Self {
            path: path.into(),
            text,
            before: None,
            executable: false,
        }
    }

    /// A file with new text.
    pub(super) fn replace(path: impl Into<PathBuf>, before: String, text: String) -> Self {
        Self {
            before: Some(before),
            ..Self::create(path, text)
        }
    }

    /// The file may be executed.
    pub(super) fn executable(mut self) -> Self {
        self.executable = true;
        self
    }
}

/// The text of a file; `None`: there is no such file.
pub(super) fn read(file: &Path) -> Result<Option<String>, InitError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(file)(error)),
    }
}

fn failed(file: &Path) -> impl FnOnce(io::Error) -> InitError + use<> {
    let file = file.to_owned();
    move |error| InitError::File { file, error }
}

/// Applies the changes in their order; on an error those already applied are taken back.
pub(super) fn apply(folder: &Path, changes: &[Change]) -> Result<(), InitError> {
    let new = changes.iter().filter(|change| change.before.is_none());
    let exist: Vec<PathBuf> = new
        .map(|change| folder.join(&change.path))
        .filter(|file| file.symlink_metadata().is_ok())
        .collect();
    if !exist.is_empty() {
        return Err(InitError::Exists(exist));
    }
    let mut done = Vec::new();
    for change in changes {
        if let Err(error) = one(folder, change, &mut done) {
            for step in done.into_iter().rev() {
                step.take_back();
            }
            return Err(error);
        }
    }
    Ok(())
}

/// A step that can be taken back.
enum Step {
    File(PathBuf),
    Folder(PathBuf),
    Text { file: PathBuf, before: String },
}

impl Step {
    /// An error cannot be mended here: the first error is the one to report.
    fn take_back(self) {
        let _ = match self {
            Self::File(file) => fs::remove_file(file),
            Self::Folder(folder) => fs::remove_dir(folder),
            Self::Text { file, before } => replace(&file, &before),
        };
    }
}

fn one(folder: &Path, change: &Change, done: &mut Vec<Step>) -> Result<(), InitError> {
    let file = folder.join(&change.path);
    if let Some(before) = &change.before {
        if read(&file)?.as_ref() != Some(before) {
            return Err(InitError::Changed(file));
        }
        replace(&file, &change.text).map_err(failed(&file))?;
        let before = before.clone();
        done.push(Step::Text { file, before });
        return Ok(());
    }
    if let Some(parent) = file.parent() {
        create_folders(parent, done)?;
    }
    let mode = if change.executable { 0o777 } else { 0o666 };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut opened = options.open(&file).map_err(failed(&file))?;
    done.push(Step::File(file.clone()));
    let written = opened.write_all(change.text.as_bytes());
    written.map_err(failed(&file))
}

fn create_folders(folder: &Path, done: &mut Vec<Step>) -> Result<(), InitError> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        create_folders(parent, done)?;
    }
    fs::create_dir(folder).map_err(failed(folder))?;
    done.push(Step::Folder(folder.to_owned()));
    Ok(())
}

/// Replaces a file's text in one step, and keeps its mode. A link keeps leading to it.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = file.canonicalize()?;
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let half = file.with_file_name(name);
    let mode = fs::metadata(&file)?.permissions().mode();
    let write = || {
        let mut options = OpenOptions::new();
        let mut opened = options.write(true).create_new(true).open(&half)?;
        opened.write_all(text.as_bytes())?;
        opened.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&half, &file)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&half);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.collect()
    }

    #[test]
    fn an_error_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("t.yaml"), "old").unwrap();
        let changes = [
            Change::create("a/b/new", "x".into()),
            Change::replace("t.yaml", "old".into(), "new".into()),
            Change::replace("t.yaml", "other".into(), "newer".into()),
        ];
        let error = apply(folder.path(), &changes).unwrap_err();
        assert!(matches!(error, InitError::Changed(_)), "{error}");
        assert_eq!(names(folder.path()), ["t.yaml"]);
        assert_eq!(
            fs::read_to_string(folder.path().join("t.yaml")).unwrap(),
            "old"
        );
    }

    #[test]
    fn every_existing_file_is_named_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::write(folder.path().join(name), "mine").unwrap();
        }
        let changes = ["zero", "one", "two"].map(|name| Change::create(name, "x".into()));
        let error = apply(folder.path(), &changes).unwrap_err().to_string();
        assert!(
            error.contains("one") && error.contains("two") && !error.contains("zero"),
            "{error}"
        );
        assert_eq!(
            fs::read_to_string(folder.path().join("one")).unwrap(),
            "mine"
        );
        assert!(!folder.path().join("zero").exists());
    }

    #[test]
    fn a_replaced_file_keeps_its_mode_and_link() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real", &link).unwrap();
        let change = Change::replace("link", "old".into(), "new".into());
        apply(folder.path(), &[change]).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
}
