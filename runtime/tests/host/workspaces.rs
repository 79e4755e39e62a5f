//! Functions in cargo workspaces: which binary is built for which function.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

fn write(folder: &Path, name: &str, text: &str) {
    let file = folder.join(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// One test at a time: their packages have the same names, and with `CARGO_TARGET_DIR` they are all
/// built into one folder.
fn alone() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A workspace without a package of its own. `api` and `jobs` each have a binary `bootstrap`,
/// `jobs` a second one.
fn workspace(functions: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(
        path,
        "Cargo.toml",
        "[workspace]\nmembers = ['crates/*']\nresolver = '3'\n",
    );
    for name in ["api", "jobs"] {
        let manifest = format!(
            "[package]\nname = '{name}'\nversion = '0.1.0'\nedition = '2024'\n[[bin]]\nname = 'bootstrap'\npath = 'src/main.rs'\n"
        );
        let second = if name == "jobs" {
            "[[bin]]\nname = 'nightly'\npath = 'src/nightly.rs'\n"
        } else {
            ""
        };
        write(
            path,
            &format!("crates/{name}/Cargo.toml"),
            &(manifest + second),
        );
        write(
            path,
            &format!("crates/{name}/src/main.rs"),
            &format!("fn main() {{ println!(\"I am {name}\") }}\n"),
        );
    }
    write(
        path,
        "crates/jobs/src/nightly.rs",
        "fn main() { println!(\"I am nightly\") }\n",
    );
    write(
        path,
        "template.yaml",
        &format!("Transform: AWS::Serverless-2016-10-31\nResources:\n{functions}"),
    );
    folder
}

fn function(id: &str, uri: &str, binary: Option<&str>) -> String {
    let binary = binary
        .map(|name| format!(", BuildProperties: {{Binary: {name}}}"))
        .unwrap_or_default();
    format!(
        "  {id}: {{Type: 'AWS::Serverless::Function', Metadata: {{BuildMethod: rust-cargolambda{binary}}}, Properties: {{Runtime: \
         provided.al2023, CodeUri: {uri}}}}}\n"
    )
}

/// What the built executables print, by function: read from the program itself, which is no
/// function and is not started here.
fn built(folder: &Path, ids: &[&str]) -> Vec<String> {
    use sam_template::project::{Arguments, Project};
    use usher::build::{self, BuildOptions};
    let template = folder.join("template.yaml");
    let project = Project::load(&template, &Arguments::default()).unwrap();
    let app = sam_template::template::load(&template, &project)
        .unwrap_or_else(|found| panic!("{found:?}"));
    let binaries = build::build(
        &app,
        &BuildOptions {
            profile: Some("dev".into()),
            ..BuildOptions::default()
        },
    )
    .unwrap();
    let former = build::build(
        &app,
        &BuildOptions {
            profile: Some("dev".into()),
            no_build: true,
            ..BuildOptions::default()
        },
    )
    .unwrap();
    assert_eq!(binaries, former, "--no-build finds what the build left");
    let printed = ids
        .iter()
        .map(|id| Command::new(&binaries[*id]).output().unwrap().stdout);
    printed
        .map(|bytes| String::from_utf8(bytes).unwrap().trim().to_owned())
        .collect()
}

#[test]
fn each_function_gets_the_binary_of_its_package() {
    let _alone = alone();
    let folder = workspace(
        &(function("Api", "crates/api", None)
            + &function("Jobs", "crates/jobs", Some("bootstrap"))
            + &function("Nightly", ".", Some("nightly"))),
    );
    assert_eq!(
        built(folder.path(), &["Api", "Jobs", "Nightly"]),
        ["I am api", "I am jobs", "I am nightly"]
    );
    // A later build overwrites cargo's own place, not what was put aside.
    assert_eq!(
        built(folder.path(), &["Jobs", "Api"]),
        ["I am jobs", "I am api"]
    );
}

#[test]
fn the_only_binary_of_a_workspace_needs_no_name() {
    let _alone = alone();
    let folder = workspace(&function("Api", ".", None));
    std::fs::remove_dir_all(folder.path().join("crates/jobs")).unwrap();
    assert_eq!(built(folder.path(), &["Api"]), ["I am api"]);
}

fn up(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["invoke", "Api", "-e", "event.json"])
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn an_ambiguous_binary_is_refused_with_the_choices() {
    let _alone = alone();
    let folder = workspace(&function("Api", ".", Some("bootstrap")));
    write(folder.path(), "event.json", "{}");
    let output = up(folder.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("bootstrap (api), bootstrap (jobs)"),
        "{said}"
    );
    assert!(
        said.contains("Write the folder of the package as CodeUri"),
        "{said}"
    );
}
