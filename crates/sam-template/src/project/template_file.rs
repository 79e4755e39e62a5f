//! Which file is the template where the command line names none.

use std::path::{Path, PathBuf};

/// The names that SAM looks for, in its order.
pub const TEMPLATES: [&str; 3] = ["template.yaml", "template.yml", "template.json"];

/// The template of the current folder: the first of [`TEMPLATES`] that is there, else the first name, so that a message has one.
pub fn template_file() -> PathBuf {
    in_folder(Path::new("")).unwrap_or_else(|| TEMPLATES[0].into())
}

/// The template in a folder.
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
    fn the_first_of_sams_names_is_the_template() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(in_folder(folder.path()), None);
        for name in TEMPLATES.iter().rev() {
            std::fs::write(folder.path().join(name), "").unwrap();
            assert_eq!(in_folder(folder.path()), Some(folder.path().join(name)));
        }
    }
}
