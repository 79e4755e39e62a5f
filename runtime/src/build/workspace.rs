//! A cargo workspace from `cargo metadata`, and the binary of each function.
//!
//! The rule is that of `cargo lambda build --bin NAME` (SAM's `BuildMethod: rust-cargolambda`) in
//! `CodeUri`: in a package's folder the binary is one of the package, at the root of a virtual
//! workspace one of any member.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use super::{BinaryError, BuildError, Target, earlier};

/// Default profile if the workspace has it: optimised, and quick to build.
const LOCAL: &str = "local";

/// Folder in the output folder for executables whose name several packages share.
const SHARED_NAMES: &str = "usher";

/// Built-in profiles of cargo.
const PROFILES: [&str; 4] = ["dev", "release", "test", "bench"];

/// The profile of a workspace if none is configured.
pub(super) fn default_profile(root: &Path) -> String {
    if earlier::has_profile(root, LOCAL) {
        LOCAL.into()
    } else {
        "release".into()
    }
}

/// Folder to which cargo writes the executables of a profile.
pub(super) fn output(target: &Path, profile: &str) -> PathBuf {
    target.join(if profile == "dev" { "debug" } else { profile })
}

/// Where an executable with a shared name is copied to.
pub(super) fn aside(output: &Path, package: &str, binary: &str) -> PathBuf {
    output.join(SHARED_NAMES).join(package).join(binary)
}

/// One workspace, as `cargo metadata` describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(super) root: PathBuf,
    #[serde(rename = "target_directory")]
    target: PathBuf,
    packages: Vec<Package>,
}

/// A member.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    targets: Vec<PackageTarget>,
}

/// A binary, a library, a test, ...
#[derive(Debug, Deserialize)]
struct PackageTarget {
    name: String,
    kind: Vec<String>,
}

impl Package {
    fn dir(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    /// The names of its binaries, sorted.
    fn bins(&self) -> BTreeSet<&str> {
        let is_bin = |target: &&PackageTarget| target.kind.iter().any(|kind| kind == "bin");
        let bins = self.targets.iter().filter(is_bin);
        bins.map(|target| target.name.as_str()).collect()
    }
}

/// The binary of a function.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Binary {
    pub(super) package: String,
    pub(super) name: String,
    /// Another package has a binary of this name: cargo writes both to one path, where the last
    /// replaces the first.
    pub(super) shared: bool,
}

impl Workspace {
    /// The workspace of the package or workspace in this folder.
    pub(super) fn of(dir: &Path, cargo: &std::ffi::OsStr) -> Result<Self, BuildError> {
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .arg("--manifest-path")
            .arg(dir.join("Cargo.toml"))
            .output()
            .map_err(BuildError::NoCargo)?;
        if !output.status.success() {
            return Err(BuildError::Manifest {
                folder: dir.to_owned(),
                output: String::from_utf8_lossy(&output.stderr)
                    .trim_end()
                    .to_owned(),
            });
        }
        strict_json::from_slice(&output.stdout).map_err(BuildError::Metadata)
    }

    /// Where the executable of a binary with a shared name is copied to.
    pub(super) fn aside(&self, binary: &Binary, profile: &str) -> PathBuf {
        let output = output(&self.target, profile);
        aside(&output, &binary.package, &binary.name)
    }

    /// The error of a profile that does not exist.
    pub(super) fn check_profile(&self, profile: &str) -> Option<String> {
        let known = PROFILES.contains(&profile) || earlier::has_profile(&self.root, profile);
        (!known).then(|| {
            let manifest = self.root.join("Cargo.toml");
            format!(
                "there is no [profile.{profile}] in {} or in a configuration of cargo. Write one, \
                 or name another profile",
                manifest.display()
            )
        })
    }

    /// The binary of a function.
    pub(super) fn binary(&self, target: &Target<'_>) -> Result<Binary, BuildError> {
        let real = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
        let dir = real(target.dir);
        let all = self.packages.iter();
        let own = all.clone().filter(|package| real(package.dir()) == dir);
        let own: Vec<&Package> = own.collect();
        let at_root = dir == real(&self.root);
        let wrong = |fault| {
            Err(BuildError::Binary {
                function: target.function.to_owned(),
                fault,
            })
        };
        // The root's own package has precedence; a member's binary may be named there as well.
        let candidates: Vec<&Package> = match (&own[..], target.binary) {
            ([package], Some(name)) if !package.bins().contains(name) && at_root => all.collect(),
            ([], _) if at_root => all.collect(),
            ([], _) => {
                return wrong(BinaryError::NoMember {
                    folder: dir,
                    root: self.root.clone(),
                });
            }
            _ => own,
        };
        let bins = |package| {
            Package::bins(package)
                .into_iter()
                .map(move |bin| (package, bin))
        };
        let known: Vec<(&Package, &str)> = candidates.into_iter().flat_map(bins).collect();
        let wanted = |bin: &str| target.binary.is_none_or(|name| name == bin);
        let found: Vec<_> = known.iter().filter(|(_, bin)| wanted(bin)).collect();
        let names = known
            .iter()
            .map(|(package, bin)| format!("{bin} ({})", package.name));
        let mut known = names.collect::<Vec<_>>().join(", ");
        if known.is_empty() {
            "none".clone_into(&mut known);
        }
        let with_bin = |bin| {
            self.packages
                .iter()
                .filter(move |other| other.bins().contains(bin))
        };
        match (&found[..], target.binary) {
            ([(package, bin)], _) => Ok(Binary {
                package: package.name.clone(),
                name: (*bin).to_owned(),
                shared: with_bin(bin).count() > 1,
            }),
            ([], Some(name)) => wrong(BinaryError::Unknown {
                name: name.to_owned(),
                folder: dir,
                known,
            }),
            (_, Some(name)) => wrong(BinaryError::Ambiguous {
                name: name.to_owned(),
                folder: dir,
                known,
            }),
            (_, None) => wrong(BinaryError::NotOne { folder: dir, known }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn workspace() -> Workspace {
        let package = |name: &str, dir: &str, bins: &[&str]| {
            let targets: Vec<Value> = bins
                .iter()
                .map(|bin| serde_json::json!({"kind": ["bin"], "name": bin}))
                .collect();
            serde_json::json!({"name": name, "manifest_path": format!("{dir}/Cargo.toml"), "targets": targets})
        };
        let metadata = serde_json::json!({
            "workspace_root": "/none/w", "target_directory": "/none/w/target",
            "packages": [package("api", "/none/w/api", &["bootstrap"]), package("jobs", "/none/w/jobs", &["nightly", "bootstrap"]),
                package("lib", "/none/w/lib", &[])],
        });
        strict_json::from_value(metadata).unwrap()
    }

    fn of(dir: &str, binary: Option<&str>) -> Result<(String, String, bool), String> {
        let target = Target {
            function: "F",
            dir: Path::new(dir),
            binary,
        };
        let found = workspace().binary(&target);
        found
            .map(|found| (found.package, found.name, found.shared))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn binaries_are_found_from_root_and_member() {
        let nightly = Ok(("jobs".to_owned(), "nightly".to_owned(), false));
        assert_eq!(of("/none/w", Some("nightly")), nightly);
        assert_eq!(of("/none/w/jobs", Some("nightly")), nightly);
        assert_eq!(
            of("/none/w/api", Some("bootstrap")),
            Ok(("api".to_owned(), "bootstrap".to_owned(), true))
        );
        assert_eq!(
            of("/none/w/api", None),
            Ok(("api".to_owned(), "bootstrap".to_owned(), true))
        );
    }

    #[test]
    fn an_ambiguous_or_missing_binary_lists_the_choices() {
        assert!(
            of("/none/w", Some("bootstrap"))
                .unwrap_err()
                .contains("several packages")
        );
        let several = of("/none/w", None).unwrap_err();
        assert!(
            several.contains("bootstrap (api), bootstrap (jobs), nightly (jobs)"),
            "{several}"
        );
        assert!(
            of("/none/w/api", Some("nightly"))
                .unwrap_err()
                .contains("The binaries are: bootstrap (api)")
        );
        assert!(of("/none/w/lib", None).unwrap_err().contains("but: none"));
        assert!(
            of("/none/w/other", None)
                .unwrap_err()
                .contains("Add it to `members`")
        );
    }
}
