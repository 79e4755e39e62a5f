//! The Invoke API as its callers use it: the SDK for Rust, boto3, and the AWS command line.

use aws_sdk_lambda::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{InvocationType, LogType};
use aws_sdk_lambda::{Client, error::ProvideErrorMetadata as _};
use base64::Engine as _;
use serde_json::Value;
use testkit::python::Tools;

use crate::invoke_api_fixture::Host;
use crate::support::function;

fn client(url: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sdk_for_rust_gets_answers_errors_logs_and_exceptions() {
    let host = Host::start(function(&[])).await;
    let client = client(&host.url);
    let invoke = |event: &str| {
        client
            .invoke()
            .function_name("stack-Echo")
            .payload(Blob::new(event))
    };

    let answered = invoke(r#"{"do": "echo", "text": "hello"}"#)
        .log_type(LogType::Tail)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            answered.status_code(),
            answered.executed_version(),
            answered.function_error()
        ),
        (200, Some("$LATEST"), None)
    );
    let answer: Value = serde_json::from_slice(answered.payload().unwrap().as_ref()).unwrap();
    assert_eq!(answer["event"]["text"], "hello");
    let log = base64::engine::general_purpose::STANDARD
        .decode(answered.log_result().unwrap())
        .unwrap();
    let log = String::from_utf8(log).unwrap();
    let id = answer["request_id"].as_str().unwrap();
    for part in [
        &format!("START RequestId: {id}"),
        "echo \"hello\"",
        &format!("END RequestId: {id}"),
        "Duration: ",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }

    let failed = invoke(r#"{"do": "exit"}"#).send().await.unwrap();
    assert_eq!(
        (failed.status_code(), failed.function_error()),
        (200, Some("Unhandled"))
    );
    let error: Value = serde_json::from_slice(failed.payload().unwrap().as_ref()).unwrap();
    assert_eq!(error["errorType"], "Runtime.ExitError");

    let event = invoke("{}")
        .invocation_type(InvocationType::Event)
        .send()
        .await
        .unwrap();
    assert_eq!(event.status_code(), 202);
    let dry = invoke("{}")
        .invocation_type(InvocationType::DryRun)
        .send()
        .await
        .unwrap();
    assert_eq!(dry.status_code(), 204);

    let unknown = client
        .invoke()
        .function_name("Nobody")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(unknown.is_resource_not_found_exception(), "{unknown:?}");
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:stack-Echo";
    let by_arn = client
        .invoke()
        .function_name(arn)
        .qualifier("$LATEST")
        .payload(Blob::new(r#"{"do": "echo"}"#))
        .send()
        .await;
    assert_eq!(by_arn.unwrap().status_code(), 200);
    let alias = client
        .invoke()
        .function_name(arn)
        .qualifier("live")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(alias.code(), Some("ResourceNotFoundException"));
    let no_json = invoke("no json")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(
        no_json.is_invalid_request_content_exception(),
        "{no_json:?}"
    );
    let listed = client.list_functions().send().await.unwrap();
    assert_eq!(listed.functions()[0].function_arn(), Some(arn));
    host.stop().await;
}

/// What a program that scripts/setup installs says, with the host as its Lambda.
async fn said(program: &str, arguments: &[&str], url: &str) -> (bool, String) {
    let mut command = tokio::process::Command::new(Tools::Aws.program(program));
    command
        .args(arguments)
        .env("AWS_ENDPOINT_URL_LAMBDA", url)
        .env("AWS_DEFAULT_REGION", "us-east-1");
    command.envs([
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ]);
    let output = command.output().await.unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr),
    )
}

const BOTO3: &str = r#"
import base64, boto3, json
client = boto3.client("lambda")
answer = client.invoke(FunctionName="stack-Echo", Payload=b'{"do": "echo", "text": "hello"}', LogType="Tail")
assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST" and "FunctionError" not in answer, answer
assert json.load(answer["Payload"])["event"]["text"] == "hello"
assert b'echo "hello"' in base64.b64decode(answer["LogResult"]), answer
answer = client.invoke(FunctionName="stack-Echo", Payload=b'{"do": "fail"}')
assert answer["FunctionError"] == "Unhandled" and json.load(answer["Payload"])["errorMessage"] == "failure requested"
assert client.invoke(FunctionName="stack-Echo", InvocationType="Event")["StatusCode"] == 202
assert client.invoke(FunctionName="stack-Echo", InvocationType="DryRun")["StatusCode"] == 204
for call, wanted in [
    (dict(FunctionName="Nobody"), client.exceptions.ResourceNotFoundException),
    (dict(FunctionName="stack-Echo", Payload=b"no json"), client.exceptions.InvalidRequestContentException),
    (dict(FunctionName="stack-Echo", InvocationType="Event", Payload=b" " * (1024 * 1024 + 1)), client.exceptions.RequestTooLargeException),
]:
    try:
        client.invoke(**call)
        raise SystemExit(f"not refused: {wanted}")
    except wanted:
        pass
print("every call was as it should be")
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn boto3_gets_what_it_expects() {
    let host = Host::start(function(&[])).await;
    let (good, text) = said("python", &["-c", BOTO3], &host.url).await;
    assert!(
        good && text.contains("every call was as it should be"),
        "{text}"
    );
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_aws_command_line_invokes_and_understands_refusals() {
    let host = Host::start(function(&[])).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answer.json");
    let out = file.to_str().unwrap();
    let invoke = [
        "lambda",
        "invoke",
        "--endpoint-url",
        &host.url,
        "--function-name",
    ];
    let payload = ["--payload", r#"{"do": "echo", "text": "hello"}"#, out];
    let (good, text) = said(
        "aws",
        &[&invoke[..], &["stack-Echo"], &payload].concat(),
        &host.url,
    )
    .await;
    assert!(good && text.contains("\"StatusCode\": 200"), "{text}");
    let answer: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(answer["event"]["text"], "hello");
    let (good, text) = said("aws", &[&invoke[..], &["Nobody", out]].concat(), &host.url).await;
    assert!(
        !good && text.contains("ResourceNotFoundException") && text.contains("Function not found"),
        "{text}"
    );
    host.stop().await;
}
