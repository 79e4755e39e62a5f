//! Functions that this host cannot run beside those that it can.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::random;
use crate::sqs_fixture::{client, endpoint};
use crate::support::project;
use crate::template_fixture::{ENDPOINT, function, good, warnings};

const OTHERS: &str = "  Script:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: script
      Runtime: python3.13
      InlineCode: 'pass'
      Events:
        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Queue.Arn}}
        Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}
        Orders: {Type: MSK, Properties: {Stream: 'arn:aws:kafka:x:1:cluster/c/1', Topics: [t], StartingPosition: LATEST}}
        Page: {Type: HttpApi, Properties: {Path: /script, Method: get, Auth: {Authorizer: Nobody}}}
        Own: {Type: Api, Properties: {RestApiId: !Ref Guarded, Path: /own, Method: get}}
      FunctionUrlConfig: {AuthType: AWS_IAM}
      EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: SNS, Destination: 'arn:aws:sns:us-east-1:000000000000:t'}}}
  Picture: {Type: 'AWS::Serverless::Function', Properties: {PackageType: Image, ImageUri: picture}}
  Poll: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: !Ref Script, EventSourceArn: !GetAtt Queue.Arn}}
  Retries: {Type: 'AWS::Lambda::EventInvokeConfig', Properties: {FunctionName: !Ref Picture, Qualifier: live, MaximumRetryAttempts: 1}}
  Guarded: {Type: 'AWS::Serverless::Api', Properties: {StageName: v1, Auth: {DefaultAuthorizer: Lambda}}}
  Queue: {Type: 'AWS::SQS::Queue'}
";

#[test]
fn functions_of_other_runtimes_are_listed_and_left_out() {
    let native = "EventInvokeConfig: {DestinationConfig: {OnFailure: {Type: Lambda, Destination: !GetAtt Script.Arn}}}\n\
                  Events: {All: {Type: HttpApi, Properties: {Path: '/{proxy+}', Method: any}}}";
    let app = good(
        &(function(native) + OTHERS),
        &format!("stack = 's'\n{ENDPOINT}"),
    );
    assert_eq!(app.functions.keys().collect::<Vec<_>>(), ["Worker"]);
    let skipped: Vec<_> = app
        .skipped
        .iter()
        .map(|(id, of)| (id.as_str(), of.name.as_str(), of.runtime.as_str()))
        .collect();
    assert_eq!(
        skipped,
        [
            ("Picture", "s-Picture", "image"),
            ("Script", "script", "python3.13")
        ]
    );
    assert!(app.sqs.is_empty() && app.kafka.is_empty() && app.schedules.is_empty());
    assert_eq!(app.queues.len(), 1, "the queue is there for others");
    // Without its route the greedy one would get its requests.
    let [api, guarded] = &app.apis[..] else {
        panic!("{:?}", app.apis)
    };
    assert_eq!(
        (guarded.id.as_str(), guarded.routes.len()),
        ("Guarded", 1),
        "a guard that only others need is not asked for"
    );
    let mut routes: Vec<_> = api
        .routes
        .iter()
        .map(|route| (route.path.as_str(), route.function.as_str()))
        .collect();
    routes.sort_unstable();
    assert_eq!(routes, [("/script", "Script"), ("/{proxy+}", "Worker")]);
    let said = warnings(&app);
    for part in [
        "function Script is left out",
        "function Picture is left out",
        "mapping Poll is left out",
        "Retries",
        "OnFailure is left out",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

fn host(folder: &Path, arguments: &[&str]) -> Child {
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    usher
        .arg("up")
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_functions_run_beside_others_whose_queue_is_kept() {
    let queue = format!("host-{}", random());
    let folder = project(&format!(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      AutoPublishAlias: live
      Events: {{All: {{Type: HttpApi, Properties: {{Path: '/{{proxy+}}', Method: any}}}}}}
  Script:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: script
      Runtime: java21
      CodeUri: script
      Events:
        Jobs: {{Type: SQS, Properties: {{Queue: !GetAtt Queue.Arn}}}}
        Page: {{Type: HttpApi, Properties: {{Path: /script, Method: get}}}}
  Queue: {{Type: 'AWS::SQS::Queue', Properties: {{QueueName: {queue}}}}}
"
    ));
    let listen = free_address();
    let control = free_address();
    let http = free_address();
    std::fs::write(
        folder.path().join("usher.toml"),
        format!("region = 'eu-central-1'\n[endpoints]\nsqs = '{}'\n[settings.'Script.Jobs']\nbatch-size = 5\n", endpoint()),
    )
    .unwrap();
    let (listen_text, control_text, http_text) =
        (listen.to_string(), control.to_string(), http.to_string());
    let _host = KillOnDrop(host(
        folder.path(),
        &[
            "--listen",
            &listen_text,
            "--control",
            &control_text,
            "--http",
            &http_text,
        ],
    ));
    let status = eventually("the host is ready", async || {
        let answer = reqwest::get(format!("http://{control}/_usher/status"))
            .await
            .ok()?;
        answer.json::<Value>().await.ok()
    })
    .await;
    assert_eq!(status["skipped"][0]["function"], "Script");
    assert_eq!(status["skipped"][0]["runtime"], "java21");

    let sqs = client(&endpoint());
    let url = sqs
        .get_queue_url()
        .queue_name(&queue)
        .send()
        .await
        .unwrap()
        .queue_url
        .unwrap();
    sqs.send_message()
        .queue_url(&url)
        .message_body("kept")
        .send()
        .await
        .unwrap();

    let invoke = async |name: &str, query: &str| {
        let url = format!("http://{listen}/2015-03-31/functions/{name}/invocations{query}");
        let answer = reqwest::Client::new()
            .post(url)
            .body(json!({ "do": "environment" }).to_string())
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    for (name, query) in [
        ("Echo:live", ""),
        ("Echo:1", ""),
        ("Echo:$LATEST", ""),
        ("Echo", "?Qualifier=live"),
    ] {
        let (status, environment) = invoke(name, query).await;
        assert_eq!(status, 200, "{name}: {environment}");
        assert_eq!(
            (
                &environment["AWS_REGION"],
                &environment["AWS_DEFAULT_REGION"]
            ),
            (&json!("eu-central-1"), &json!("eu-central-1"))
        );
    }
    let (status, unknown) = invoke("Echo", "?Qualifier=beta").await;
    assert_eq!(status, 404, "{unknown}");
    assert!(
        unknown["Message"]
            .as_str()
            .unwrap()
            .contains(":eu-central-1:"),
        "{unknown}"
    );
    let (status, refused) = invoke("script", "").await;
    assert_eq!(status, 502, "{refused}");
    assert!(
        refused["Message"].as_str().unwrap().contains("java21"),
        "{refused}"
    );
    let page = reqwest::get(format!("http://{http}/script")).await.unwrap();
    assert_eq!(page.status(), 500, "its route is not another function's");

    // The native function has answered several times since: a poller would have taken the message by now.
    let count = sqs
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::All)
        .send()
        .await
        .unwrap();
    let count = count.attributes.unwrap();
    assert_eq!(count[&QueueAttributeName::ApproximateNumberOfMessages], "1");
    assert_eq!(
        count[&QueueAttributeName::ApproximateNumberOfMessagesNotVisible],
        "0"
    );
    let status: Value = reqwest::get(format!("http://{control}/_usher/status"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(status["queues"], json!([]), "nothing polls it");
}

#[test]
fn usher_invoke_says_why_a_function_does_not_run() {
    let folder = project(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo: {Type: 'AWS::Serverless::Function', Properties: {Runtime: provided.al2023, \
         CodeUri: built}}\n  Script: {Type: 'AWS::Serverless::Function', Properties: {Runtime: ruby3.4, CodeUri: x}}\n",
    );
    let output = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["invoke", "Script", "-e", "/dev/null"])
        .current_dir(folder.path())
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2), "{said}");
    let shown = Command::new(env!("CARGO_BIN_EXE_usher"))
        .arg("template")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(
        shown.contains("function Script") && shown.contains("not run: ruby3.4"),
        "{shown}"
    );
}
