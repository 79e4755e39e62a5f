//! One `cargo build` for all functions.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::progress::BuildProgress;
use super::workspace::{Binary, Workspace};
use super::{Binaries, BuildError, BuildOptions, FunctionBuildError, Target, earlier};

/// A workspace, and its functions with their binaries.
type Group<'t> = (Workspace, Vec<(&'t str, Binary)>);

/// Builds every target, or finds the results of an earlier build.
pub(super) fn build(
    targets: &[Target<'_>],
    options: &BuildOptions,
) -> Result<Binaries, BuildError> {
    if options.no_build {
        return earlier(targets, options);
    }
    let mut binaries = Binaries::new();
    let mut groups: BTreeMap<PathBuf, Group<'_>> = BTreeMap::new();
    for target in targets {
        let workspace = Workspace::of(target.dir, &cargo())?;
        let binary = workspace.binary(target)?;
        groups
            .entry(workspace.root.clone())
            .or_insert_with(|| (workspace, Vec::new()))
            .1
            .push((target.function, binary));
    }
    for (workspace, targets) in groups.values() {
        let profile = options.profile(&workspace.root);
        binaries.extend(build_all(workspace, targets, &profile)?);
    }
    Ok(binaries)
}

/// The errors of [`build()`] that can be found without compiling, one sentence each.
pub(super) fn check(targets: &[Target<'_>], options: &BuildOptions) -> Vec<String> {
    let mut problems = Vec::new();
    for target in targets {
        let workspace = match Workspace::of(target.dir, &cargo()) {
            Ok(workspace) => workspace,
            Err(error) => {
                problems.push(format!("function {}: {error}", target.function));
                continue;
            }
        };
        problems.extend(
            workspace
                .binary(target)
                .err()
                .map(|error| error.to_string()),
        );
        let wrong = workspace.check_profile(&options.profile(&workspace.root));
        problems.extend(wrong.filter(|wrong| !problems.contains(wrong)));
    }
    problems
}

/// Finds the results of an earlier build. Cargo runs only to find the one binary of a workspace if
/// the template does not name it.
fn earlier(targets: &[Target<'_>], options: &BuildOptions) -> Result<Binaries, BuildError> {
    let mut found = Binaries::new();
    let mut missing = Vec::new();
    for target in targets {
        let root = earlier::root(target.dir);
        let profile = options.profile(&root);
        let named = match target.binary {
            Some(name) => name.to_owned(),
            None => Workspace::of(target.dir, &cargo())?.binary(target)?.name,
        };
        let file = earlier::executable(target.dir, &root, &named, &profile);
        if file.is_file() {
            found.insert(target.function.to_owned(), file);
        } else {
            missing.push(FunctionBuildError::not_built(
                target.function,
                file,
                &profile,
            ));
        }
    }
    if missing.is_empty() {
        Ok(found)
    } else {
        Err(BuildError::Functions(missing))
    }
}

/// Runs one build for all binaries whose name is unique in the workspace, then one for each of the
/// others, whose executable is moved before the next build overwrites it.
fn build_all(
    workspace: &Workspace,
    targets: &[(&str, Binary)],
    profile: &str,
) -> Result<Binaries, BuildError> {
    let wanted: BTreeSet<&Binary> = targets.iter().map(|(_, binary)| binary).collect();
    let (shared, unique): (Vec<&Binary>, Vec<&Binary>) =
        wanted.into_iter().partition(|binary| binary.shared);
    let mut made: BTreeMap<&Binary, PathBuf> = BTreeMap::new();
    if !unique.is_empty() {
        // Without `--package`: cargo would unify features over those packages only, and compile
        // dependencies a second time.
        let mut arguments = vec!["--workspace"];
        let names = unique.iter().map(|binary| binary.name.as_str());
        arguments.extend(names.flat_map(|name| ["--bin", name]));
        let executables = run(workspace, &arguments, unique.len(), profile)?;
        for binary in unique {
            made.insert(binary, executable_of(&executables, binary)?.clone());
            // An earlier build may have moved it, when its name was shared.
            let _ = std::fs::remove_file(workspace.aside(binary, profile));
        }
    }
    for binary in shared {
        let arguments = ["--package", &binary.package, "--bin", &binary.name];
        let executables = run(workspace, &arguments, 1, profile)?;
        let aside = workspace.aside(binary, profile);
        copy_executable(executable_of(&executables, binary)?, &aside).map_err(|error| {
            BuildError::Copy {
                file: aside.clone(),
                error,
            }
        })?;
        made.insert(binary, aside);
    }
    Ok(targets
        .iter()
        .filter_map(|(function, binary)| Some(((*function).to_owned(), made.get(binary)?.clone())))
        .collect())
}

fn executable_of<'e>(
    executables: &'e BTreeMap<String, PathBuf>,
    binary: &Binary,
) -> Result<&'e PathBuf, BuildError> {
    let Binary { package, name, .. } = binary;
    executables.get(name).ok_or_else(|| BuildError::NotMade {
        package: package.clone(),
        binary: name.clone(),
    })
}

/// Copies an executable, replacing the earlier copy in one step: a process may run that.
fn copy_executable(executable: &Path, aside: &Path) -> std::io::Result<()> {
    if let Some(folder) = aside.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let half = aside.with_extension("new");
    std::fs::copy(executable, &half)?;
    std::fs::rename(half, aside)
}

/// Runs one `cargo build`. Returns the executables by the name of their binary.
fn run(
    workspace: &Workspace,
    arguments: &[&str],
    functions: usize,
    profile: &str,
) -> Result<BTreeMap<String, PathBuf>, BuildError> {
    let mut command = Command::new(cargo());
    command
        .current_dir(&workspace.root)
        .args(["build", "--profile", profile])
        .args(arguments)
        .args(["--message-format", "json-render-diagnostics"]);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(BuildError::NoCargo)?;
    let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(BuildError::NoOutput);
    };
    // Read concurrently with the messages: a full pipe would block cargo.
    let complaints = std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stderr.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut progress = BuildProgress::new(functions, profile);
    let mut executables: BTreeMap<String, PathBuf> = BTreeMap::new();
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let Ok(message) = strict_json::from_str::<Value>(&line) else {
            continue;
        };
        if message["reason"] == "compiler-artifact" {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            progress.step(name, message["fresh"].as_bool().unwrap_or(false));
            if let Some(path) = message["executable"].as_str() {
                executables.insert(name.to_owned(), PathBuf::from(path));
            }
        }
    }
    let status = child.wait().map_err(BuildError::NoCargo)?;
    let complaints = complaints.join().unwrap_or_default();
    progress.end(status.success());
    if status.success() {
        return Ok(executables);
    }
    Err(BuildError::Compiler(complaints.trim_end().to_owned()))
}

/// The cargo that runs this process, if any.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
