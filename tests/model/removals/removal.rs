//! The removal of one protection at run time, in a build that allows it (`scripts/protections`).
//!
//! Compiled into `shared` and `redis-link` with `--cfg removable_protections`, and never else: the
//! file is in neither crate's folder. The variable `REMOVED_PROTECTION` is the path of a file of
//! this folder, whose name is the protection. A removal in Rust is a call of
//! `shared::protection::removed`. That of a script or a statement is an edit in the file: a line
//! `text NAME`, then the lines that are replaced, each after `-`, and those that replace them, each
//! after `+`. The edited text must contain the replaced lines exactly once, else the process
//! panics: a removal that no longer fits its text is found, not skipped.

use std::path::Path;
use std::sync::LazyLock;

/// What is removed.
struct Removal {
    /// The protection.
    name: String,
    edits: Vec<Edit>,
}

/// Lines of a text, and those that replace them.
pub(crate) struct Edit {
    /// The name of the text.
    pub(crate) text: String,
    old: Vec<String>,
    new: Vec<String>,
}

impl Edit {
    /// # Panics
    /// If the text does not contain the lines exactly once.
    pub(crate) fn apply(&self, text: &str) -> String {
        let old = self.old.join("\n");
        let found = text.matches(&old).count();
        assert_eq!(found, 1, "the removal does not fit {}: {old}", self.text);
        text.replace(&old, &self.new.join("\n"))
    }
}

static REMOVAL: LazyLock<Option<Removal>> = LazyLock::new(|| {
    let path = std::env::var_os("REMOVED_PROTECTION")?;
    let path = Path::new(&path);
    let file = std::fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("REMOVED_PROTECTION: {}: {error}", path.display()));
    let name = path.file_stem().unwrap_or_default();
    Some(Removal {
        name: name.to_string_lossy().into_owned(),
        edits: read_edits(&file),
    })
});

/// The edits of a removal's file.
pub(crate) fn read_edits(file: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for line in file.lines() {
        if line.starts_with("# ") || line.starts_with("trial ") {
            continue;
        }
        if let Some(text) = line.strip_prefix("text ") {
            edits.push(Edit {
                text: text.to_owned(),
                old: Vec::new(),
                new: Vec::new(),
            });
        } else if let (Some(edit), Some((sign, rest))) =
            (edits.last_mut(), line.split_at_checked(1))
        {
            match sign {
                "-" => edit.old.push(rest.to_owned()),
                "+" => edit.new.push(rest.to_owned()),
                _ => panic!("the removal has an unknown line: {line}"),
            }
        }
    }
    edits
}

/// Whether the protection of this name is removed.
#[allow(dead_code, reason = "scripts are only edited")]
pub(crate) fn is_removed(name: &str) -> bool {
    REMOVAL.as_ref().is_some_and(|removal| removal.name == name)
}

/// A script or statement with the edits of the removal.
///
/// # Panics
/// If the text does not contain the lines of an edit exactly once.
pub(crate) fn edited<'a>(name: &str, text: &'a str) -> &'a str {
    let edits = REMOVAL.iter().flat_map(|removal| &removal.edits);
    edits
        .filter(|edit| edit.text == name)
        // Texts live as long as the process.
        .fold(text, |text, edit| {
            Box::leak(edit.apply(text).into_boxed_str())
        })
}
