//! The program as a user runs it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::project;

pub(crate) const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {Type: Number, Default: 3}
  Key: {Type: String, Default: hush-hush, NoEcho: true}
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {Variables: {SIZE: !Ref Size, KEY: !Ref Key}}
      Events:
        Tick: {Type: Schedule, Properties: {Schedule: rate(5 minutes)}}
        Open: {Type: HttpApi, Properties: {Path: '/a/{b}', Method: get}}
";

pub(crate) fn usher(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that stops before it reads has said why; that is what the test looks at.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn invoke_prints_the_answer_alone_on_standard_output() {
    let folder = project(TEMPLATE);
    let output = usher(
        folder.path(),
        &["invoke", "Echo", "-e", "-"],
        r#"{"do": "echo", "text": "hello"}"#,
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["event"]["text"], "hello");
    assert!(
        text(&output.stderr).contains("hello"),
        "the function's own lines go to standard error"
    );
}

#[test]
fn invoke_takes_a_function_name_and_an_empty_event() {
    let folder = project(&TEMPLATE.replace(
        "    Properties:\n",
        "    Properties:\n      FunctionName: greeter\n",
    ));
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:greeter";
    for name in ["greeter", "Echo", arn] {
        let output = usher(
            folder.path(),
            &["invoke", name, "-e", "-"],
            r#"{"do": "environment"}"#,
        );
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(answer["AWS_LAMBDA_FUNCTION_NAME"], "greeter", "{name}");
    }
    let output = usher(folder.path(), &["invoke", "greeter"], "");
    let body: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert!(
        body["errorMessage"]
            .as_str()
            .unwrap()
            .contains("unknown command \"\""),
        "the event is {{}}: {body}"
    );
    let output = usher(folder.path(), &["invoke", "greter"], "");
    assert!(
        text(&output.stderr).contains("Did you mean greeter?"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn every_name_of_a_template_is_found() {
    let json = r#"{
	"Transform": "AWS::Serverless-2016-10-31",
	"Resources": {"Echo": {"Type": "AWS::Serverless::Function", "Properties": {
		"Runtime": "provided.al2023", "CodeUri": "built", "Environment": {"Variables": {"FORM": "json \u00fc"}}}}}
}"#;
    let yaml = json.replace('\t', "  ").replace("json \\u00fc", "yml");
    for (name, content, form) in [
        ("template.json", json, "json \u{fc}"),
        ("template.yml", &yaml, "yml"),
    ] {
        let folder = project("");
        std::fs::remove_file(folder.path().join("template.yaml")).unwrap();
        std::fs::write(folder.path().join(name), content).unwrap();
        let output = usher(
            folder.path(),
            &["invoke", "Echo", "-e", "-"],
            r#"{"do": "environment"}"#,
        );
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        assert_eq!(answer["FORM"], form, "{name}");
        for command in [&["template"][..], &["parked", "list"], &["offsets", "list"]] {
            let output = usher(folder.path(), command, "");
            assert_eq!(
                output.status.code(),
                Some(0),
                "{name} {command:?}: {}",
                text(&output.stderr)
            );
        }
    }
    let nowhere = tempfile::tempdir().unwrap();
    let built = nowhere.path().join(".aws-sam/build");
    std::fs::create_dir_all(&built).unwrap();
    std::fs::write(built.join("template.yaml"), "").unwrap();
    let message = text(&usher(nowhere.path(), &["template"], "").stderr);
    for part in [
        "template.yaml, template.yml, template.json",
        ".aws-sam/build/template.yaml",
        "--template FILE",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn a_function_gets_the_time_zone_of_its_template() {
    let folder = project(&TEMPLATE.replace("Variables: {SIZE", "Variables: {TZ: Asia/Tokyo, SIZE"));
    let output = usher(
        folder.path(),
        &["invoke", "Echo", "-e", "-"],
        r#"{"do": "environment"}"#,
    );
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!(answer["TZ"], "Asia/Tokyo");
}

#[test]
fn invoke_takes_parameters_and_files() {
    let folder = project(TEMPLATE);
    std::fs::write(folder.path().join("event.json"), r#"{"do": "environment"}"#).unwrap();
    let output = usher(
        folder.path(),
        &[
            "invoke",
            "Echo",
            "-e",
            "event.json",
            "--parameter-overrides",
            "Size=9",
        ],
        "",
    );
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    assert_eq!(
        (&answer["SIZE"], &answer["KEY"]),
        (&json!("9"), &json!("hush-hush"))
    );
}

#[test]
fn a_function_error_is_exit_code_1() {
    let folder = project(TEMPLATE);
    let output = usher(
        folder.path(),
        &["invoke", "Echo", "-e", "-"],
        r#"{"do": "fail"}"#,
    );
    assert_eq!(output.status.code(), Some(1));
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(body["errorMessage"], "failure requested");
}

/// Arguments, what stands in usher.toml, and words that the one message must hold.
#[test]
fn wrong_configuration_is_one_message_and_exit_code_2() {
    let table: [(&[&str], &str, &[&str]); 13] = [
        (
            &["up", "--parameter-overrides", "Siz=1"],
            "",
            &["Siz", "Did you mean Size?"],
        ),
        (
            &["up", "--parameter-overrides", "Size=big", "Other=1"],
            "",
            &["Size is 'big'", "a parameter Other"],
        ),
        (
            &["up"],
            "http = '127.0.0.1:99999'\nstak = 'x'\n",
            &["usher.toml:1: http", "usher.toml:2:", "Did you mean stack?"],
        ),
        (
            &["up", "--template", "other.yaml"],
            "",
            &["other.yaml", "--template FILE"],
        ),
        (
            &["up"],
            "[http]\nNope = '127.0.0.1:1'\n",
            &["Nope", "ServerlessHttpApi"],
        ),
        (
            &["up"],
            "[endpoints]\nsqs = 'https://sqs.us-east-1.amazonaws.com'\n",
            &[
                "usher.toml line 2",
                "--allow-remote sqs.us-east-1.amazonaws.com",
            ],
        ),
        (
            &["up", "--sqs-endpoint", "127.0.0.1:9324"],
            "",
            &["--sqs-endpoint", "not an address", "http://127.0.0.1:9324"],
        ),
        (
            &["up", "--control", "0.0.0.0:18090"],
            "",
            &["--control 0.0.0.0:18090", "loopback"],
        ),
        (
            &["up", "--http", "127.0.0.1:x", "--control", "here"],
            "",
            &["--http 127.0.0.1:x", "--control here"],
        ),
        (
            &["up", "--parameter-overrides", "Size=big"],
            "stak = 'x'\n",
            &["Size is 'big'", "Did you mean stack?", "2 problems"],
        ),
        (
            &["up", "--parameter-overrides", "Key=redis://127.0.0.1:1/0"],
            "",
            &["127.0.0.1:1, which", "KEY of Echo"],
        ),
        (
            &["invoke", "Ech", "-e", "-"],
            "",
            &["no function Ech", "Did you mean Echo?"],
        ),
        (
            &["invoke", "Echo", "-e", "missing.json"],
            "",
            &["missing.json", "names a JSON file"],
        ),
    ];
    for (arguments, settings, words) in table {
        let folder = project(TEMPLATE);
        std::fs::write(folder.path().join("usher.toml"), settings).unwrap();
        let output = usher(folder.path(), arguments, "{}");
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        for word in words {
            assert!(
                message.contains(word),
                "{arguments:?}: {word} is missing from {message}"
            );
        }
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_function_without_an_executable_is_named() {
    let folder = project(TEMPLATE);
    std::fs::remove_file(folder.path().join("built/bootstrap")).unwrap();
    let output = usher(folder.path(), &["up"], "");
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.contains("function Echo") && message.contains("bootstrap"),
        "{message}"
    );
}

#[test]
fn an_authorizer_without_keys_stops_the_start() {
    let guarded = TEMPLATE.replace(
        "Path: '/a/{b}', Method: get",
        "Path: /a, Method: get, ApiId: !Ref Api",
    ) + "  Api:\n    Type: AWS::Serverless::HttpApi\n    Properties:\n      Auth: {DefaultAuthorizer: J, Authorizers: {J: {JwtConfiguration: {issuer: 'https://i.test', audience: [a]}}}}\n";
    let folder = project(&guarded);
    let output = usher(folder.path(), &["up"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("--jwks FILE"),
        "{}",
        text(&output.stderr)
    );
    let output = usher(folder.path(), &["up", "--jwks", "none.json"], "");
    assert!(
        text(&output.stderr).contains("cannot read the key set none.json"),
        "{}",
        text(&output.stderr)
    );
}
