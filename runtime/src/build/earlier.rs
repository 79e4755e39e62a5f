//! Finds the results of an earlier cargo build without cargo: a machine that only runs an
//! application needs no Rust.
//!
//! The rules are those of "The Cargo Book": "Workspaces", and "Hierarchical structure" of the
//! configuration.

use std::path::{Path, PathBuf};

use super::workspace;
use sam_template::document::{Node, Problems, parse_toml};

/// The root of a package's workspace: `package.workspace`, else the nearest folder above with a
/// `[workspace]` that does not exclude the package, else its own folder.
pub(super) fn root(dir: &Path) -> PathBuf {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let manifest = toml(&dir.join("Cargo.toml"));
    if manifest.get("workspace").is_some() {
        return dir;
    }
    if let Some(named) = manifest
        .get("package")
        .and_then(|package| package.get("workspace"))
        .and_then(Node::text)
    {
        let named = dir.join(named);
        return named.canonicalize().unwrap_or(named);
    }
    let owns = |above: &&Path| {
        let manifest = toml(&above.join("Cargo.toml"));
        manifest.get("workspace").is_some_and(|workspace| {
            let excluded = workspace
                .get("exclude")
                .map(Node::items)
                .unwrap_or_default();
            !excluded
                .iter()
                .filter_map(Node::text)
                .any(|folder| dir.starts_with(above.join(folder)))
        })
    };
    dir.ancestors()
        .skip(1)
        .find(owns)
        .map_or_else(|| dir.clone(), Path::to_path_buf)
}

/// The target folder of a workspace: `CARGO_TARGET_DIR`, `build.target-dir` of the nearest
/// configuration, else `target`.
pub(super) fn target(root: &Path) -> PathBuf {
    for variable in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"] {
        if let Some(folder) = std::env::var_os(variable).filter(|folder| !folder.is_empty()) {
            return root.join(folder);
        }
    }
    for (folder, config) in configurations(root) {
        if let Some(named) = config
            .get("build")
            .and_then(|build| build.get("target-dir"))
            .and_then(Node::text)
        {
            // Relative to the folder that contains `.cargo`.
            return folder.parent().unwrap_or(root).join(named);
        }
    }
    root.join("target")
}

/// Whether a workspace has a profile of this name, in its manifest or in a configuration of cargo.
pub(super) fn has_profile(root: &Path, name: &str) -> bool {
    let declares = |file: &Node| {
        file.get("profile")
            .is_some_and(|profiles| profiles.get(name).is_some())
    };
    declares(&toml(&root.join("Cargo.toml")))
        || configurations(root).any(|(_, config)| declares(&config))
}

/// Cargo's configurations with their folders, the nearest first.
fn configurations(root: &Path) -> impl Iterator<Item = (PathBuf, Node)> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let folders = root
        .ancestors()
        .map(|above| above.join(".cargo"))
        .chain(home);
    let files =
        folders.flat_map(|folder| ["config", "config.toml"].map(|file| (folder.clone(), file)));
    files.map(|(folder, file)| (folder.clone(), toml(&folder.join(file))))
}

/// The executable of a binary of the package in `dir`: moved by [`super::cargo`] if other packages
/// have a binary of this name, else where cargo writes it.
pub(super) fn executable(dir: &Path, root: &Path, binary: &str, profile: &str) -> PathBuf {
    let output = workspace::output(&target(root), profile);
    let manifest = toml(&dir.join("Cargo.toml"));
    let package = manifest
        .get("package")
        .and_then(|package| package.get("name"))
        .and_then(Node::text);
    let aside = package.map(|package| workspace::aside(&output, package, binary));
    aside
        .filter(|file| file.is_file())
        .unwrap_or_else(|| output.join(binary))
}

/// Reads a file. One that is missing or invalid counts as empty: the build reports it.
fn toml(file: &Path) -> Node {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    parse_toml(&text, &Problems::new(file.display().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, file: &str, text: &str) {
        let file = folder.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[test]
    fn profiles_of_every_form_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        write(
            &top,
            "Cargo.toml",
            "[profile.local] # quick\ninherits = 'release'\n[ profile . 'spaced' ]\ninherits = \
             'dev'\n[profile]\ninline = { inherits = 'dev' }\n",
        );
        write(
            &top,
            ".cargo/config.toml",
            "[profile.ci]\ninherits = 'release'\n",
        );
        for name in ["local", "spaced", "inline", "ci"] {
            assert!(has_profile(&top, name), "{name}");
        }
        assert!(!has_profile(&top, "other"));
    }

    #[test]
    fn a_packages_workspace_is_cargos() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        write(
            &top,
            "Cargo.toml",
            "[workspace]\nmembers = ['a']\nexclude = ['alone']\n",
        );
        write(&top, "a/Cargo.toml", "[package]\nname = 'a'\n");
        write(&top, "alone/Cargo.toml", "[package]\nname = 'alone'\n");
        write(
            &top,
            "alone/root/Cargo.toml",
            "[package]\nname = 'root'\n[workspace]\n",
        );
        write(
            &top,
            "alone/far/Cargo.toml",
            "[package]\nname = 'far'\nworkspace = '../../alone/root'\n",
        );
        assert_eq!(root(&top.join("a")), top);
        assert_eq!(root(&top), top);
        assert_eq!(root(&top.join("alone")), top.join("alone"));
        assert_eq!(root(&top.join("alone/root")), top.join("alone/root"));
        assert_eq!(root(&top.join("alone/far")), top.join("alone/root"));
    }
}
