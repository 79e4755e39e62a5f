//! Templates as people get them wrong: a folder each under `tests/bad_templates`, with what is said
//! of it beside it.
//!
//! `expected.txt` is the whole of standard error; `{folder}` stands for the folder and `{arch}` for
//! this machine's architecture. `command.txt` holds the arguments where they are not `template`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_templates");
    let mut folders: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

/// Exit code, and what was said.
fn run(folder: &Path) -> (Option<i32>, String) {
    let command =
        fs::read_to_string(folder.join("command.txt")).unwrap_or_else(|_| "template".into());
    let output = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(command.split_whitespace())
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let text = text.replace(&folder.display().to_string(), "{folder}");
    (
        output.status.code(),
        text.replace(std::env::consts::ARCH, "{arch}"),
    )
}

#[test]
fn each_bad_template_gets_one_message_with_line_reason_and_remedy() {
    let folders = folders();
    assert!(folders.len() >= 24, "{} folders", folders.len());
    let mut wrong = Vec::new();
    for folder in folders {
        let expected = fs::read_to_string(folder.join("expected.txt")).unwrap_or_default();
        let (code, text) = run(&folder);
        if code != Some(2) || text != expected {
            wrong.push(format!(
                "\n--- {}: exit code {code:?}\n{text}--- expected\n{expected}",
                folder.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}
