//! Functions of Python and Node.js beside native ones, with the machine's interpreters and AWS'
//! clients. The first run installs these, and compiles a part of the one for Node.js.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;

use crate::kafka_fixture::random;
use crate::sqs_fixture::{client, endpoint};
use crate::support::usher_up;

const PYTHON: &str = r#"
import os, subprocess, humanize, layered

def handler(event, context):
    if "Records" in event:
        failed = [r["messageId"] for r in event["Records"] if r["body"] == "bad"]
        return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}
    if "fail" in event:
        raise ValueError(event["fail"])
    return {
        "package": humanize.intcomma(1234567),
        "layer": layered.NAME,
        "tool": subprocess.check_output(["layered-tool"], text=True).strip(),
        "runtime": os.environ["AWS_EXECUTION_ENV"],
        "handler": os.environ["_HANDLER"],
        "root": os.getcwd() == os.environ["LAMBDA_TASK_ROOT"],
        "variable": os.environ["GREETING"],
        "name": context.function_name,
    }
"#;

const NODE: &str = r#"
import ms from "ms";
export const handler = async (event) => ({
  statusCode: 200,
  body: `${event.rawPath} ${ms("2 days")} ${process.env.AWS_EXECUTION_ENV}`,
});
"#;

const SHELL: &str = r#"#!/bin/bash
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation
while :; do
  headers=$(mktemp)
  event=$(curl -sS -D "$headers" "$api/next") || exit 1
  id=$(grep -i lambda-runtime-aws-request-id "$headers" | tr -d '[:space:]' | cut -d: -f2)
  rm "$headers"
  curl -sS -o /dev/null "$api/$id/response" -d "{\"shell\": $event}"
done
"#;

/// A project with functions of every kind; `QUEUE` is the prefix of its queues.
fn project(queue: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let file = folder.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        file
    };
    write("python/app.py", PYTHON);
    write("python/requirements.txt", "humanize==4.9.0\n");
    write("node/index.mjs", NODE);
    write("node/package.json", r#"{"dependencies": {"ms": "2.1.3"}}"#);
    write("first/python/layered.py", "NAME = 'first'\n");
    write("second/python/layered.py", "NAME = 'second'\n");
    let executable = fs::Permissions::from_mode(0o755);
    for (file, text) in [
        ("first/bin/layered-tool", "#!/bin/sh\necho tool\n"),
        ("shell/bootstrap", SHELL),
    ] {
        fs::set_permissions(write(file, text), executable.clone()).unwrap();
    }
    write(
        "template.yaml",
        &format!(
            "\
Transform: AWS::Serverless-2016-10-31
Globals: {{Function: {{Timeout: 20}}}}
Resources:
  Python:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: app.handler
      CodeUri: python
      Layers: [!Ref First, !Ref Second]
      Environment: {{Variables: {{GREETING: hello}}}}
      Events:
        Jobs:
          Type: SQS
          Properties: {{Queue: !GetAtt Jobs.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}
  First: {{Type: 'AWS::Serverless::LayerVersion', Properties: {{ContentUri: first}}}}
  Second: {{Type: 'AWS::Serverless::LayerVersion', Properties: {{ContentUri: second}}}}
  Node:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      CodeUri: node
      Events: {{Page: {{Type: HttpApi, Properties: {{Path: /hello, Method: get}}}}}}
  Inline:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: nodejs20.x
      Handler: index.handler
      InlineCode: 'exports.handler = async (event) => event.value + 1'
  Shell: {{Type: 'AWS::Serverless::Function', Properties: {{Runtime: provided.al2023, CodeUri: shell}}}}
  Missing: {{Type: 'AWS::Serverless::Function', Properties: {{Runtime: python3.11, Handler: nothing.handler, CodeUri: python}}}}
  NoExport: {{Type: 'AWS::Serverless::Function', Properties: {{Runtime: nodejs20.x, Handler: index.nothing, CodeUri: node}}}}
  Other: {{Type: 'AWS::Serverless::Function', Properties: {{Runtime: java21, Handler: app.Handler, CodeUri: python}}}}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {queue}
      VisibilityTimeout: 20
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}
  Dead: {{Type: 'AWS::SQS::Queue', Properties: {{QueueName: {queue}-dead}}}}
"
        ),
    );
    let settings = format!("stack = 's'\n[endpoints]\nsqs = '{}'\n", endpoint());
    write("usher.toml", &settings);
    folder
}

/// `usher invoke FUNCTION` with an event, without a host.
fn invoke(folder: &Path, function: &str, event: &Value) -> Output {
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    let mut child = usher
        .args(["invoke", function, "--alone", "-e", "-"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let event = event.to_string();
    let mut input = child.stdin.take().unwrap();
    input.write_all(event.as_bytes()).unwrap();
    drop(input);
    child.wait_with_output().unwrap()
}

fn answer(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", errors(output)))
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn python_has_packages_layers_and_lambdas_variables() {
    let folder = project(&format!("host-{}", random()));
    let first = invoke(folder.path(), "Python", &json!({}));
    assert_eq!(
        answer(&first),
        json!({
            "package": "1,234,567", "layer": "second", "tool": "tool",
            "runtime": "AWS_Lambda_python3.11", "handler": "app.handler", "root": true,
            "variable": "hello", "name": "s-Python"
        }),
        "{}",
        errors(&first)
    );
    assert!(errors(&first).contains("installing the packages of Python"));
    let failed = invoke(folder.path(), "Python", &json!({"fail": "on purpose"}));
    let said = errors(&failed);
    assert_eq!(failed.status.code(), Some(1));
    assert!(said.contains("ValueError: on purpose"), "{said}");
    let trace = said
        .lines()
        .any(|line| line.ends_with("line 9, in handler"));
    assert!(trace, "a trace has a line for each call: {said}");
    assert!(
        !said.contains("installing") && !said.contains("building"),
        "nothing has changed: {said}"
    );
    let code = folder.path().join("python/app.py");
    fs::write(&code, "def handler(event, context): return 'changed'\n").unwrap();
    let changed = invoke(folder.path(), "Python", &json!({}));
    assert_eq!(answer(&changed), json!("changed"));
    assert!(
        !errors(&changed).contains("installing"),
        "the packages have not changed"
    );
}

#[test]
fn a_missing_module_or_export_is_an_init_error() {
    let folder = project(&format!("host-{}", random()));
    for (function, message) in [
        (
            "Missing",
            "Runtime.ImportModuleError: Unable to import module 'nothing'",
        ),
        (
            "NoExport",
            "Runtime.HandlerNotFound: index.nothing is undefined or not exported",
        ),
    ] {
        let failed = invoke(folder.path(), function, &json!({}));
        let said = errors(&failed);
        assert_eq!(failed.status.code(), Some(1), "{said}");
        assert!(
            said.contains(&format!("{function} failed: {message}")),
            "{said}"
        );
    }
    let other = invoke(folder.path(), "Other", &json!({}));
    assert_eq!(other.status.code(), Some(2));
    assert!(errors(&other).contains("java21"), "{}", errors(&other));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_template_mixes_native_python_and_node_functions() {
    let queue = format!("host-{}", random());
    let folder = project(&queue);
    // so that what a first build installs takes no time of the host's start
    let built = invoke(folder.path(), "Node", &json!({"rawPath": "/built"}));
    assert!(built.status.success(), "{}", errors(&built));
    let [listen, control, http] = [(); 3].map(|()| free_address().to_string());
    let _host = usher_up(
        folder.path(),
        &["--listen", &listen, "--control", &control, "--http", &http],
    );
    let page = eventually("the page is served", async || {
        let answer = reqwest::get(format!("http://{http}/hello")).await.ok()?;
        answer.text().await.ok()
    })
    .await;
    assert_eq!(page, "/hello 172800000 AWS_Lambda_nodejs20.x");
    for (function, expected) in [
        ("Shell", json!({"shell": {"value": 1}})),
        ("Inline", json!(2)),
    ] {
        let url = format!("http://{listen}/2015-03-31/functions/{function}/invocations");
        let request = reqwest::Client::new().post(url).body(r#"{"value": 1}"#);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer, expected);
    }
    let sqs = client(&endpoint());
    let [url, dead] = [queue.clone(), format!("{queue}-dead")]
        .map(|name| format!("{}/000000000000/{name}", endpoint()));
    for body in ["good", "bad", "good"] {
        let sent = sqs.send_message().queue_url(&url).message_body(body).send();
        sent.await.unwrap();
    }
    let refused = eventually("the refused message is a dead letter", async || {
        let received = sqs.receive_message().queue_url(&dead).send().await.ok()?;
        received.messages?.into_iter().next()?.body
    })
    .await;
    assert_eq!(refused, "bad");
    for url in [&url, &dead] {
        sqs.delete_queue().queue_url(url).send().await.unwrap();
    }
}
