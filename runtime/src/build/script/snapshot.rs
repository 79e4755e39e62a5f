//! A copy of code and layers as they are at the build.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

use super::ScriptError;
use sam_template::model::{Language, Script, ScriptSource};

/// Folder of the code within a build: `LAMBDA_TASK_ROOT`.
pub(super) const TASK: &str = "task";

/// Folder of the merged layers within a build: `/opt` on Lambda.
pub(super) const OPT: &str = "opt";

/// Folders of the sources that are never copied.
const LEFT_OUT: [&str; 6] = [
    ".aws-sam",
    ".git",
    ".usher",
    ".venv",
    "__pycache__",
    "target",
];

/// One entry of a tree.
#[derive(Debug)]
enum Entry {
    File { bytes: Vec<u8>, mode: u32 },
    Link(PathBuf),
}

/// Paths within a folder, and what is there.
type Tree = BTreeMap<PathBuf, Entry>;

/// Everything of a function that is copied.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// Folder of the code; `None`: `InlineCode`.
    pub(super) source: Option<PathBuf>,
    code: Tree,
    layers: Tree,
}

/// Reads code and layers.
pub(super) fn read(script: &Script) -> Result<Snapshot, ScriptError> {
    let mut code = Tree::new();
    let source = match &script.source {
        ScriptSource::Inline(text) => {
            let name = match script.language {
                Language::Python => "index.py",
                Language::Node => "index.js",
            };
            let bytes = text.clone().into_bytes();
            code.insert(name.into(), Entry::File { bytes, mode: 0o644 });
            None
        }
        ScriptSource::Folder(folder) => {
            let packages = folder.join("package.json").is_file();
            let left_out =
                |name: &str| LEFT_OUT.contains(&name) || (packages && name == "node_modules");
            collect(folder, Path::new(""), &left_out, &mut code)?;
            Some(folder.clone())
        }
    };
    let mut layers = Tree::new();
    for layer in &script.layers {
        collect(
            layer,
            Path::new(""),
            &|name| name == "__pycache__",
            &mut layers,
        )?;
    }
    Ok(Snapshot {
        source,
        code,
        layers,
    })
}

impl Snapshot {
    /// The bytes of a file at the top of the code.
    pub(super) fn code_file(&self, name: &str) -> Option<&[u8]> {
        match self.code.get(Path::new(name))? {
            Entry::File { bytes, .. } => Some(bytes),
            Entry::Link(_) => None,
        }
    }

    /// The path of a file of the code, for messages.
    pub(super) fn code_path(&self, name: &str) -> PathBuf {
        let folder = self.source.as_deref().unwrap_or(Path::new(""));
        folder.join(name)
    }

    /// Digest of the content and of these texts.
    pub(super) fn digest(&self, others: &[&str]) -> String {
        let mut digest = Sha256::new();
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        for text in others {
            add(text.as_bytes());
        }
        for (root, tree) in [(TASK, &self.code), (OPT, &self.layers)] {
            for (path, entry) in tree {
                add(root.as_bytes());
                add(path.as_os_str().as_encoded_bytes());
                match entry {
                    Entry::File { bytes, mode } => {
                        add(&mode.to_le_bytes());
                        add(bytes);
                    }
                    Entry::Link(to) => add(to.as_os_str().as_encoded_bytes()),
                }
            }
        }
        hex::encode(&digest.finalize()[..8])
    }
}

/// Adds the files of a folder. Entries that are there already are replaced: later layers win.
fn collect(
    root: &Path,
    within: &Path,
    left_out: &dyn Fn(&str) -> bool,
    tree: &mut Tree,
) -> Result<(), ScriptError> {
    let folder = root.join(within);
    let entries = fs::read_dir(&folder).map_err(ScriptError::file(&folder))?;
    for entry in entries {
        let entry = entry.map_err(ScriptError::file(&folder))?;
        let path = entry.path();
        let within = within.join(entry.file_name());
        if left_out(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let found = read_entry(&path).map_err(ScriptError::file(&path))?;
        match found {
            Some(found) => drop(tree.insert(within, found)),
            None if path.is_dir() => collect(root, &within, left_out, tree)?,
            // a socket or device is no code
            None => {}
        }
    }
    Ok(())
}

/// `None`: a folder, or no file.
fn read_entry(path: &Path) -> io::Result<Option<Entry>> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() {
        return Ok(Some(Entry::Link(fs::read_link(path)?)));
    }
    if !metadata.is_file() {
        return Ok(None);
    }
    let mode = metadata.permissions().mode() & 0o777;
    let bytes = fs::read(path)?;
    Ok(Some(Entry::File { bytes, mode }))
}

/// Writes code and layers into the folder of a build. Packages of Node.js are linked into the code,
/// where it looks for them.
pub(super) fn write(
    content: &Snapshot,
    folder: &Path,
    packages: Option<&Path>,
) -> Result<(), ScriptError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(ScriptError::file(folder))?;
    }
    for (root, tree) in [(TASK, &content.code), (OPT, &content.layers)] {
        let root = folder.join(root);
        fs::create_dir_all(&root).map_err(ScriptError::file(&root))?;
        for (path, entry) in tree {
            let file = root.join(path);
            let above = file.parent().unwrap_or(&root);
            fs::create_dir_all(above)
                .and_then(|()| write_entry(&file, entry))
                .map_err(ScriptError::file(&file))?;
        }
    }
    let modules = packages.map(|packages| packages.join("node_modules"));
    if let Some(modules) = modules.filter(|modules| modules.is_dir()) {
        let link = folder.join(TASK).join("node_modules");
        symlink(modules, &link).map_err(ScriptError::file(&link))?;
    }
    Ok(())
}

fn write_entry(file: &Path, entry: &Entry) -> io::Result<()> {
    match entry {
        Entry::Link(to) => symlink(to, file),
        Entry::File { bytes, mode } => {
            fs::write(file, bytes)?;
            fs::set_permissions(file, fs::Permissions::from_mode(*mode))
        }
    }
}

/// Removes the oldest builds beside the current one. What cannot be removed stays.
pub(super) fn remove_others(builds: &Path, current: &Path, kept: usize) {
    let Ok(entries) = fs::read_dir(builds) else {
        return;
    };
    let mut others: Vec<(SystemTime, PathBuf)> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path != current && path.join(TASK).is_dir())
        .filter_map(|path| Some((path.metadata().ok()?.modified().ok()?, path)))
        .collect();
    others.sort();
    let surplus = (others.len() + 1).saturating_sub(kept);
    for (_, path) in others.into_iter().take(surplus) {
        let _ = fs::remove_dir_all(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(folder: &Path, layers: Vec<PathBuf>) -> Script {
        Script {
            language: Language::Python,
            runtime: "python3.11".to_owned(),
            source: ScriptSource::Folder(folder.join("code")),
            layers,
            builds: folder.join("builds"),
        }
    }

    #[test]
    fn a_later_layer_replaces_files_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path();
        for (file, text) in [
            ("code/app.py", "code"),
            ("code/__pycache__/app.pyc", "left out"),
            ("one/python/same.py", "one"),
            ("one/python/first.py", "one"),
            ("two/python/same.py", "two"),
        ] {
            fs::create_dir_all(top.join(file).parent().unwrap()).unwrap();
            fs::write(top.join(file), text).unwrap();
        }
        let layered = script(top, vec![top.join("one"), top.join("two")]);
        let content = read(&layered).unwrap();
        let build = top.join("build");
        write(&content, &build, None).unwrap();
        let text = |file: &str| fs::read_to_string(build.join(file)).unwrap();
        assert_eq!(text("opt/python/same.py"), "two");
        assert_eq!(text("opt/python/first.py"), "one");
        assert_eq!(text("task/app.py"), "code");
        assert!(!build.join("task/__pycache__").exists());
    }

    #[test]
    fn changed_code_is_another_build() {
        let folder = tempfile::tempdir().unwrap();
        let code = folder.path().join("code");
        fs::create_dir(&code).unwrap();
        let digest = |text: &str| {
            fs::write(code.join("app.py"), text).unwrap();
            let content = read(&script(folder.path(), Vec::new())).unwrap();
            content.digest(&["python3.11"])
        };
        assert_eq!(digest("one"), digest("one"));
        assert_ne!(digest("one"), digest("two"));
    }
}
