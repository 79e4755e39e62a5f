//! `usher init` and `usher new function`: every trigger in every language is created, built, tested
//! and invoked. Needs cargo, go, python3, bash, curl and jq, which `make setup` installs or requires:
//! nothing is skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;

const TRIGGERS: [&str; 5] = ["http", "sqs", "kafka", "stream", "schedule"];
const LANGUAGES: [&str; 4] = ["rust", "go", "python", "bash"];

fn run(program: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", target())
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn usher(folder: &Path, arguments: &[&str]) -> Output {
    run(env!("CARGO_BIN_EXE_usher"), folder, arguments)
}

/// The folder of build results of this repository: dependencies are compiled once.
fn target() -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_usher")).parent().unwrap();
    programs.parent().unwrap().to_owned()
}

/// What it printed; it must have succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{}\n{text}", output.status);
    text
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains(words), "{text}");
}

/// Every file with its text.
fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    found
}

/// A project with a function for each trigger, named after it.
fn project_in(language: &str) -> TempDir {
    let folder = TempDir::with_prefix("shop-").unwrap();
    let of = |trigger| ["--trigger", trigger, "--language", language];
    let first = ["init", ".", "--function", "on-http"];
    printed(&usher(folder.path(), &[&first[..], &of("http")].concat()));
    for trigger in &TRIGGERS[1..] {
        let name = format!("on-{trigger}");
        let add = ["new", "function", &name];
        printed(&usher(folder.path(), &[&add[..], &of(trigger)].concat()));
    }
    folder
}

#[track_caller]
fn answer(project: &Path, function: &str, event: &str) -> (Value, String) {
    let output = usher(project, &["invoke", function, "--event", event]);
    let log = printed(&output);
    (serde_json::from_slice(&output.stdout).unwrap(), log)
}

/// Invokes every function of the project with every sample event.
fn answers_every_sample(project: &Path) {
    let text = printed(&usher(project, &["template"]));
    assert!(!text.contains("not run"), "{text}");

    let (response, log) = answer(project, "OnHttp", "events/on-http/one.json");
    assert_eq!(response["statusCode"], 200);
    let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({"message": "Hello, Ada"}));
    assert!(log.contains("a greeting for Ada"), "{log}");

    let stack = fs::read_to_string(project.join("usher.toml")).unwrap();
    let stack = stack.split("stack = \"").nth(1).unwrap();
    let stack = stack.split('"').next().unwrap();
    let resumed = json!({"partition": format!("{stack}-on-kafka-0"), "offset": 8});
    for (function, folder, failed) in [
        ("OnSqs", "on-sqs", json!("2")),
        ("OnStream", "on-stream", json!("1767225600000-1")),
        ("OnKafka", "on-kafka", resumed),
    ] {
        let (response, log) = answer(project, function, &format!("events/{folder}/one.json"));
        assert_eq!(response, json!({"batchItemFailures": []}), "{function}");
        assert!(log.contains("Hello, Ada"), "{log}");
        let bad = format!("events/{folder}/one-bad.json");
        let expected = json!({"batchItemFailures": [{"itemIdentifier": failed}]});
        assert_eq!(answer(project, function, &bad).0, expected, "{function}");
    }

    let (_, log) = answer(project, "OnSchedule", "events/on-schedule/one.json");
    assert!(log.contains("Hello at 2026-01-01T00:00:00Z"), "{log}");
}

/// Runs the test of every function, by the command that `usher init` prints.
fn passes_its_tests(project: &Path, command: impl Fn(&str) -> String) {
    for trigger in TRIGGERS {
        let command = command(&format!("functions/on-{trigger}"));
        printed(&run("bash", project, &["-c", &command]));
    }
}

#[test]
fn functions_in_bash_pass_their_tests_and_answer() {
    let project = project_in("bash");
    passes_its_tests(project.path(), |folder| format!("{folder}/test.sh"));
    answers_every_sample(project.path());
}

#[test]
fn functions_in_python_pass_their_tests_and_answer() {
    let project = project_in("python");
    passes_its_tests(project.path(), |folder| {
        format!("python3 {folder}/test_handler.py")
    });
    answers_every_sample(project.path());
}

#[test]
fn functions_in_go_pass_their_tests_and_answer() {
    let project = project_in("go");
    passes_its_tests(project.path(), |folder| {
        format!("cd {folder} && go vet ./... && go test ./...")
    });
    answers_every_sample(project.path());
}

#[test]
fn functions_in_rust_pass_their_tests_and_answer() {
    let project = project_in("rust");
    // The versions that this repository is tested with.
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    for trigger in TRIGGERS {
        let folder = project.path().join(format!("functions/on-{trigger}"));
        fs::copy(&lock, folder.join("Cargo.lock")).unwrap();
    }
    passes_its_tests(project.path(), |folder| {
        format!("RUSTFLAGS= cargo test --quiet --manifest-path {folder}/Cargo.toml")
    });
    answers_every_sample(project.path());
}

#[test]
fn every_kind_of_project_has_a_valid_template() {
    for language in LANGUAGES {
        for trigger in TRIGGERS {
            let folder = TempDir::new().unwrap();
            let init = ["init", "a b/My Shop", "--trigger", trigger, "--language"];
            printed(&usher(folder.path(), &[&init[..], &[language]].concat()));
            let project = folder.path().join("a b/My Shop");
            let output = usher(&project, &["template"]);
            let text = printed(&output);
            assert!(text.contains("stack my-shop\n"), "{text}");
            assert!(text.contains("function Hello "), "{text}");
            assert_eq!(output.stderr, b"", "{language} {trigger}: {text}");
            let readme = fs::read_to_string(project.join("README.md")).unwrap();
            assert!(readme.contains("usher invoke Hello -e events/hello/one.json"));
        }
    }
}

#[test]
fn no_file_is_overwritten() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    let init = ["init", "--language", "bash"];
    refused(&usher(folder.path(), &init), "README.md");
    assert_eq!(files(folder.path()).len(), 1);

    fs::remove_file(folder.path().join("README.md")).unwrap();
    printed(&usher(folder.path(), &init));
    refused(&usher(folder.path(), &init), "usher new function NAME");
}

#[test]
fn a_refused_function_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    let add = |name| usher(path, &["new", "function", name, "--language", "bash"]);
    refused(&add("other"), "there is no template.yaml");
    printed(&usher(path, &["init", "--language", "bash"]));

    let before = files(path);
    refused(&add("Hello"), "Hello exists");
    refused(&add("../up"), "cannot name a function");
    fs::create_dir_all(path.join("functions/taken")).unwrap();
    fs::write(path.join("functions/taken/handler.sh"), "mine").unwrap();
    refused(&add("taken"), "handler.sh");
    fs::remove_dir_all(path.join("functions/taken")).unwrap();
    assert_eq!(files(path), before);

    let template = path.join("template.yaml");
    let flow = "Resources: {Hello: {Type: AWS::SQS::Queue}}\n";
    for (text, words) in [
        (flow, "template.yaml:1: Resources"),
        ("Resources: [\n", ":"),
    ] {
        fs::write(&template, text).unwrap();
        let before = files(path);
        refused(&add("other"), words);
        assert_eq!(files(path), before);
    }
}

/// A host that ends with the test.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_new_project_answers_over_http() {
    let folder = TempDir::new().unwrap();
    printed(&usher(folder.path(), &["init", "--language", "bash"]));
    let address = free_address().to_string();
    let mut up = Command::new(env!("CARGO_BIN_EXE_usher"));
    up.args(["up", "--http", &address, "--listen", "127.0.0.1:0"])
        .current_dir(folder.path())
        .stdout(Stdio::null());
    let _host = Host(up.spawn().unwrap());
    let url = format!("http://{address}/hello?name=Grace");
    let body = eventually("the function answers", async || {
        let response = reqwest::get(&url).await.ok()?;
        (response.status() == 200).then_some(())?;
        response.json::<Value>().await.ok()
    })
    .await;
    assert_eq!(body, json!({"message": "Hello, Grace"}));
}

#[test]
fn the_version_names_the_commit() {
    let git = run(
        "git",
        Path::new(env!("CARGO_MANIFEST_DIR")),
        &["rev-parse", "HEAD"],
    );
    let version = printed(&usher(Path::new("/"), &["--version"]));
    let commit = version
        .trim_end()
        .strip_prefix("usher ")
        .and_then(|version| version.split_once(" ("));
    if !git.status.success() {
        assert_eq!(commit, None, "without a repository there is no commit");
        return;
    }
    let (number, commit) = commit.expect("a commit in parentheses");
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    let head = String::from_utf8(git.stdout).unwrap();
    assert!(head.starts_with(commit.trim_end_matches(')')), "{version}");
}

#[test]
fn shells_and_man_know_every_command() {
    let folder = TempDir::new().unwrap();
    let help = printed(&usher(folder.path(), &["--help"]));
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let commands = commands.split("\n\n").next().unwrap().lines();
    let commands = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let commands: Vec<&str> = commands.filter(|name| !name.is_empty()).collect();
    assert!(commands.len() > 10, "{commands:?}");
    printed(&usher(folder.path(), &["man", "--into", "."]));
    let page = printed(&usher(folder.path(), &["man"]));
    assert_eq!(
        page,
        fs::read_to_string(folder.path().join("usher.1")).unwrap()
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&usher(folder.path(), &["completions", shell]));
        for command in &commands {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
    for command in commands.iter().filter(|command| **command != "help") {
        let page = folder.path().join(format!("usher-{command}.1"));
        assert!(page.exists(), "{command}");
    }
}
