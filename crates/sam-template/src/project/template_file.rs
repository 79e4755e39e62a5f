//! Finds the template if the command line names none.

use std::path::{Path, PathBuf};

/// The names that SAM looks for, in that order.
pub const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// The first of [`TEMPLATES`] that exists in the current folder, else the first name for messages.
pub fn template_file() -> PathBuf {
    in_folder(Path::new("")).unwrap_or_else(|| TEMPLATES[0].into())
}

/// The first of [`TEMPLATES`] that exists in a folder.
pub fn in_folder(folder: &Path) -> Option<PathBuf> {
    TEMPLATES
        .iter()
        .map(|name| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_the_first_known_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(in_folder(folder.path()), None);
        for name in TEMPLATES.iter().rev() {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(in_folder(folder.path()), Some(folder.path().join(name)));
        }
    }
}
