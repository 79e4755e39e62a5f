//! Names the commit in `usher --version`.

use std::path::Path;
use std::process::Command;

/// The output of git in the folder of the sources; `None` without git or outside of a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(["-C", ".."])
        .args(arguments)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit of the sources: `USHER_COMMIT` if a packager sets it, else what git has checked out.
fn commit() -> Option<String> {
    println!("cargo::rerun-if-env-changed=USHER_COMMIT");
    if let Ok(given) = std::env::var("USHER_COMMIT") {
        return Some(given).filter(|given| !given.is_empty());
    }
    // A copy of the sources inside another repository is not of its commit.
    let top = Path::new(&git(&["rev-parse", "--show-toplevel"])?)
        .canonicalize()
        .ok()?;
    if Path::new("..").canonicalize().ok()? != top {
        return None;
    }
    // Every commit and checkout appends a line to it.
    let log = git(&[
        "rev-parse",
        "--path-format=absolute",
        "--git-path",
        "logs/HEAD",
    ])?;
    println!("cargo::rerun-if-changed={log}");
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=USHER_VERSION={version}");
}
