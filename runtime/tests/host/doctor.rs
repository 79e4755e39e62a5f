//! `usher doctor` on a machine that lacks something.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use testkit::eventually;

use crate::operations_fixture::Application;
use crate::sqs_fixture;
use crate::support::echo_function;

/// A Redis of the test's own, which ends with it.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_doctor_names_what_is_missing_and_its_remedy() {
    let application = Application::new();
    let well = application.said(&["doctor"]);
    assert!(
        well.contains("ok    servers respond") && well.contains("0 failed"),
        "{well}"
    );
    std::fs::remove_file(application.path().join("built/bootstrap")).unwrap();
    let toml = std::fs::read_to_string(application.path().join("usher.toml")).unwrap();
    let nowhere = testkit::net::free_address();
    std::fs::write(
        application.path().join("usher.toml"),
        toml.replace(&sqs_fixture::endpoint(), &format!("http://{nowhere}")),
    )
    .unwrap();
    let output = application.usher(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        "function Echo: there is no executable",
        &format!("SQS at http://{nowhere} does not answer"),
        "2 failed",
    ] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_warns_of_a_redis_that_evicts() {
    let application = Application::new();
    let address = testkit::net::free_address();
    let template = std::fs::read_to_string(application.path().join("template.yaml")).unwrap();
    let variables = format!("Variables: {{LOCKS_URL: 'redis://:hush@{address}', RECORD_TO:");
    std::fs::write(
        application.path().join("template.yaml"),
        template.replace("Variables: {RECORD_TO:", &variables),
    )
    .unwrap();
    let port = address.port().to_string();
    let mut server = Command::new("redis-server");
    server.args([
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--maxmemory-policy",
        "allkeys-lru",
    ]);
    server
        .args(["--requirepass", "hush", "--dir"])
        .arg(application.path());
    let _server = Redis(server.stdout(Stdio::null()).spawn().unwrap());
    let client = redis::Client::open(format!("redis://:hush@{address}")).unwrap();
    eventually("Redis answers", async || {
        client
            .get_multiplexed_async_connection()
            .await
            .ok()
            .map(drop)
    })
    .await;
    let said = application.said(&["doctor"]);
    let found = said
        .lines()
        .find(|line| line.contains("LOCKS_URL"))
        .unwrap_or_else(|| panic!("{said}"));
    assert!(
        found.starts_with("warn") && found.contains("may evict any key") && !found.contains("hush"),
        "{said}"
    );
}

fn usher(folder: &Path, arguments: &[&str], path: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .env_remove("CARGO")
        .env_remove("CARGO_TARGET_DIR");
    if let Some(path) = path {
        command.env("PATH", path);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (
        status.code(),
        String::from_utf8([stdout, stderr].concat()).unwrap(),
    )
}

/// A cargo package whose template names `binary`.
fn package(binary: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let template = format!(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {{BuildMethod: rust-cargolambda, BuildProperties: {{Binary: {binary}}}}}
    Properties: {{Runtime: provided.al2023, CodeUri: hello}}
"
    );
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    std::fs::write(
        folder.path().join("Cargo.toml"),
        "[workspace]\nmembers = ['hello']\nresolver = '3'\n",
    )
    .unwrap();
    std::fs::create_dir_all(folder.path().join("hello/src")).unwrap();
    let manifest = "[package]\nname = 'hello'\nversion = '0.1.0'\nedition = '2024'\n";
    std::fs::write(folder.path().join("hello/Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.path().join("hello/src/main.rs"), "fn main() {}\n").unwrap();
    folder
}

#[test]
fn the_doctor_finds_a_fresh_make_project_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/link-check");
    std::fs::create_dir(folder.path().join("check")).unwrap();
    std::fs::copy(
        example.join("template.yaml"),
        folder.path().join("template.yaml"),
    )
    .unwrap();
    for file in ["Makefile", "go.mod", "main.go"] {
        std::fs::copy(
            example.join("check").join(file),
            folder.path().join("check").join(file),
        )
        .unwrap();
    }
    std::fs::write(folder.path().join("usher.toml"), "http = '127.0.0.1:0'\n").unwrap();
    let (code, said) = usher(folder.path(), &["doctor"], None);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("0 failed") && said.contains("(usher up builds it)"),
        "{said}"
    );
    // what is not built is missing where nothing is built, and so is a tool that does not run
    let (code, said) = usher(folder.path(), &["doctor", "--no-build"], None);
    assert!(
        code == Some(2) && said.contains("has not been built. Leave --no-build out"),
        "{said}"
    );
    let (code, said) = usher(folder.path(), &["doctor"], Some("/nowhere"));
    assert!(
        code == Some(2) && said.contains("make cannot be run"),
        "{said}"
    );
}

#[test]
fn a_go_project_needs_go_and_no_cargo() {
    let folder = package("hello");
    let template = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Metadata: {BuildMethod: go1.x}
    Properties: {Runtime: provided.al2023, CodeUri: hello}
";
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    let tools = tempfile::tempdir().unwrap();
    let (code, said) = usher(folder.path(), &["doctor"], tools.path().to_str());
    assert!(
        code == Some(2) && said.contains("go cannot be run"),
        "{said}"
    );
    let go = tools.path().join("go");
    std::fs::write(&go, "#!/bin/sh\n[ \"$1\" = version ]\n").unwrap();
    std::fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (code, said) = usher(folder.path(), &["doctor"], tools.path().to_str());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("(usher up builds it)"), "{said}");
}

#[test]
fn without_a_build_no_cargo_is_needed() {
    let folder = package("hello");
    std::fs::create_dir_all(folder.path().join("target/release")).unwrap();
    std::os::unix::fs::symlink(echo_function(), folder.path().join("target/release/hello"))
        .unwrap();
    std::fs::write(folder.path().join("event.json"), r#"{"do": "echo"}"#).unwrap();
    let (code, said) = usher(folder.path(), &["doctor", "--no-build"], Some("/nowhere"));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("executables are there"), "{said}");
    let (code, said) = usher(
        folder.path(),
        &["invoke", "Hello", "--no-build", "-e", "event.json"],
        Some("/nowhere"),
    );
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_doctor_names_what_a_build_would_refuse() {
    let folder = package("hallo");
    let (code, said) = usher(folder.path(), &["doctor"], None);
    assert!(
        code == Some(2) && said.contains("there is no binary hallo"),
        "{said}"
    );
    let (code, said) = usher(folder.path(), &["doctor", "--profile", "fast"], None);
    assert!(
        code == Some(2) && said.contains("there is no [profile.fast]"),
        "{said}"
    );
}

#[test]
fn doctor_and_up_name_the_same_problems_before_a_build() {
    let application = Application::new();
    application.settings(
        "[settings]\nlog = 'info,usher=loud'\n[settings.Nowhere]\nbatch-size = 5\n[settings.'Echo.Jobs']\nbatch-size = 70000",
    );
    let doctor = application.usher(&["doctor"]);
    let up = application.usher(&["up", "--http", "127.0.0.1:0"]);
    assert_eq!((doctor.status.code(), up.status.code()), (Some(2), Some(2)));
    let doctor = String::from_utf8(doctor.stdout).unwrap();
    let up = String::from_utf8(up.stderr).unwrap();
    for part in ["Nowhere", "batch-size of Echo.Jobs", "log of host"] {
        assert!(doctor.contains(part), "{part} is missing from {doctor}");
        assert!(up.contains(part), "{part} is missing from {up}");
    }
}

#[test]
fn two_mappings_of_one_group_are_named_before_a_build() {
    let folder = package("hello");
    let template = std::fs::read_to_string(folder.path().join("template.yaml")).unwrap();
    let event = |name: &str| {
        format!(
            "        {name}: {{Type: SelfManagedKafka, Properties: {{Topics: [orders], KafkaBootstrapServers: ['127.0.0.1:9'], \
             ConsumerGroupId: one, StartingPosition: LATEST}}}}\n"
        )
    };
    let written = "\n      Runtime: provided.al2023\n      CodeUri: hello\n      Events:";
    let template = template.replace(" {Runtime: provided.al2023, CodeUri: hello}", written)
        + &event("A")
        + &event("B");
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    for command in ["doctor", "up"] {
        let (code, said) = usher(folder.path(), &[command], None);
        assert_eq!(code, Some(2), "{command}: {said}");
        assert!(
            said.contains("mapping Hello.B: another mapping reads topic orders as group one"),
            "{command}: {said}"
        );
        assert!(!said.contains("building"), "{command}: {said}");
    }
}
