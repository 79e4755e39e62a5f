//! One `cargo build` for all functions.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{Binaries, BuildError, Options, Target, former};

/// Profile preferred where the workspace has it: optimised enough, quick to build.
const LOCAL: &str = "local";

/// Without a terminal a line is printed this often.
const PLAIN_EVERY: Duration = Duration::from_secs(15);

/// Builds every target, or finds what a former build left.
pub(super) fn build(targets: &[Target<'_>], options: &Options) -> Result<Binaries, BuildError> {
    let mut binaries = Binaries::new();
    let mut groups: BTreeMap<PathBuf, (Workspace, Vec<&Target<'_>>)> = BTreeMap::new();
    for target in targets {
        let workspace = if options.no_build { Workspace::former_of(target.dir) } else { Workspace::of(target.dir)? };
        groups.entry(workspace.root.clone()).or_insert_with(|| (workspace, Vec::new())).1.push(target);
    }
    for (workspace, targets) in groups.values() {
        let profile = match &options.profile {
            Some(profile) => profile.clone(),
            None => workspace.default_profile(),
        };
        let made = if options.no_build { workspace.former(targets, &profile)? } else { workspace.build(targets, &profile)? };
        binaries.extend(made);
    }
    Ok(binaries)
}

/// Profiles that every workspace has.
const PROFILES: [&str; 4] = ["dev", "release", "test", "bench"];

/// What [`build()`] would refuse before and after compiling, as far as it can be known without: a sentence each.
pub(super) fn check(targets: &[Target<'_>], options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    for target in targets {
        let workspace = match Workspace::of(target.dir) {
            Ok(workspace) => workspace,
            Err(error) => {
                problems.push(format!("function {}: {error}", target.function));
                continue;
            }
        };
        if let Err(error) = workspace.check_member(target.dir) {
            problems.push(format!("function {}: {error}", target.function));
        } else if !workspace.binaries.contains(target.binary) {
            problems.push(no_binary(target));
        }
        let profile = options.profile.clone().unwrap_or_else(|| workspace.default_profile());
        if !PROFILES.contains(&profile.as_str()) && !workspace.has_profile(&profile) {
            let manifest = workspace.root.join("Cargo.toml");
            let wrong = format!(
                "there is no [profile.{profile}] in {} or in a configuration of cargo. Write one, or name another profile",
                manifest.display()
            );
            if !problems.contains(&wrong) {
                problems.push(wrong);
            }
        }
    }
    problems
}

fn no_binary(target: &Target<'_>) -> String {
    format!(
        "function {}: there is no binary {} in {}. Name one in Metadata BuildProperties Binary.",
        target.function,
        target.binary,
        target.dir.display()
    )
}

/// A cargo workspace, as cargo itself describes it.
struct Workspace {
    root: PathBuf,
    target: PathBuf,
    /// Folders of its packages.
    packages: BTreeSet<PathBuf>,
    /// Names of their binaries.
    binaries: BTreeSet<String>,
}

impl Workspace {
    fn of(dir: &Path) -> Result<Self, BuildError> {
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps", "--manifest-path"])
            .arg(dir.join("Cargo.toml"))
            .output()
            .map_err(|error| no_cargo(&error))?;
        if !output.status.success() {
            return Err(BuildError(format!(
                "cargo cannot read {}/Cargo.toml:\n{}",
                dir.display(),
                String::from_utf8_lossy(&output.stderr).trim_end()
            )));
        }
        let value: Value = strict_json::from_slice(&output.stdout)
            .map_err(|error| BuildError(format!("cargo metadata said something else than JSON: {error}")))?;
        let path = |key: &str| PathBuf::from(value[key].as_str().unwrap_or_default());
        let packages = value["packages"].as_array().into_iter().flatten().filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some(manifest.parent()?.to_path_buf())
        });
        let targets = value["packages"].as_array().into_iter().flatten().filter_map(|package| package["targets"].as_array());
        let is_binary = |target: &&Value| target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
        let binaries = targets.flatten().filter(is_binary).filter_map(|target| Some(target["name"].as_str()?.to_owned()));
        Ok(Self {
            root: path("workspace_root"),
            target: path("target_directory"),
            packages: packages.collect(),
            binaries: binaries.collect(),
        })
    }

    /// Without cargo: where its results are, and nothing of its packages.
    fn former_of(dir: &Path) -> Self {
        let root = former::root(dir);
        Self { target: former::target(&root), root, packages: BTreeSet::new(), binaries: BTreeSet::new() }
    }

    fn default_profile(&self) -> String {
        if self.has_profile(LOCAL) { LOCAL.into() } else { "release".into() }
    }

    fn has_profile(&self, name: &str) -> bool {
        former::has_profile(&self.root, name)
    }

    fn check_member(&self, dir: &Path) -> Result<(), BuildError> {
        let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        if self.packages.contains(&dir) {
            return Ok(());
        }
        let (dir, root) = (dir.display(), self.root.display());
        Err(BuildError(format!("{dir} is not a package of the workspace {root}. Add it to `members`.")))
    }

    /// What an earlier build of this profile left.
    fn former(&self, targets: &[&Target<'_>], profile: &str) -> Result<Binaries, BuildError> {
        let folder = self.target.join(if profile == "dev" { "debug" } else { profile });
        let (mut found, mut missing) = (Binaries::new(), Vec::new());
        for target in targets {
            let file = folder.join(target.binary);
            if file.is_file() {
                found.insert(target.function.to_owned(), file);
            } else {
                missing.push(format!(
                    "function {}: {} has not been built. Leave --no-build out, or run cargo build --profile {profile}.",
                    target.function,
                    file.display()
                ));
            }
        }
        if missing.is_empty() { Ok(found) } else { Err(BuildError(missing.join("\n"))) }
    }

    fn build(&self, targets: &[&Target<'_>], profile: &str) -> Result<Binaries, BuildError> {
        let mut command = Command::new(cargo());
        // Named by binary over the whole workspace: naming packages would unify features over those alone, and compile
        // dependencies a second time.
        command.current_dir(&self.root).args(["build", "--workspace", "--profile", profile]);
        command.args(["--message-format", "json-render-diagnostics"]);
        for target in targets {
            self.check_member(target.dir)?;
            command.args(["--bin", target.binary]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| no_cargo(&error))?;
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(BuildError("cargo has no output to read".into()));
        };
        // Read beside the messages: a full pipe would stop cargo.
        let complaints = std::thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut progress = Progress::new(targets.len(), profile);
        let mut executables: BTreeMap<String, PathBuf> = BTreeMap::new();
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let Ok(message) = strict_json::from_str::<Value>(&line) else { continue };
            if message["reason"] == "compiler-artifact" {
                let name = message["target"]["name"].as_str().unwrap_or_default();
                progress.step(name, message["fresh"].as_bool().unwrap_or(false));
                if let Some(path) = message["executable"].as_str() {
                    executables.insert(name.to_owned(), PathBuf::from(path));
                }
            }
        }
        let status = child.wait().map_err(|error| no_cargo(&error))?;
        let complaints = complaints.join().unwrap_or_default();
        progress.end(status.success());
        if !status.success() {
            return Err(BuildError(format!("the functions do not build:\n\n{}", complaints.trim_end())));
        }
        let mut binaries = Binaries::new();
        for target in targets {
            let Some(path) = executables.get(target.binary) else {
                return Err(BuildError(no_binary(target)));
            };
            binaries.insert(target.function.to_owned(), path.clone());
        }
        Ok(binaries)
    }
}

/// The cargo that runs us, if one does.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn no_cargo(error: &std::io::Error) -> BuildError {
    BuildError(format!(
        "cargo cannot be run: {error}. Install Rust (https://rustup.rs), or use --no-build with executables that exist."
    ))
}

/// A spinner on a terminal, a line now and then elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    told: Instant,
    crates: usize,
    compiled: usize,
    functions: usize,
}

impl Progress {
    fn new(functions: usize, profile: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        let now = Instant::now();
        let progress = Self { bar, started: now, told: now, crates: 0, compiled: 0, functions };
        match &progress.bar {
            Some(bar) => bar.set_message(format!("building {functions} functions (profile {profile})")),
            None => eprintln!("building {functions} functions (profile {profile})"),
        }
        progress
    }

    fn step(&mut self, name: &str, fresh: bool) {
        self.crates += 1;
        self.compiled += usize::from(!fresh);
        let text = format!("building {} functions: {} crates done, last {name}", self.functions, self.crates);
        match &self.bar {
            Some(bar) => bar.set_message(text),
            None if self.told.elapsed() >= PLAIN_EVERY => {
                self.told = Instant::now();
                eprintln!("{text}");
            }
            None => {}
        }
    }

    fn end(&self, success: bool) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        if success {
            eprintln!(
                "{} functions ready ({} crates compiled, {:.1} s)",
                self.functions,
                self.compiled,
                self.started.elapsed().as_secs_f64()
            );
        }
    }
}
