//! Records of asynchronous events that exceed the limit of a queue.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use serde_json::{Value, json};
use testkit::eventually;
use testkit::net::free_address;
use tokio::net::TcpListener;
use usher::sources::sqs::Sqs;

use crate::kafka_fixture::random;
use crate::sqs_fixture::client;
use crate::sqs_servers::OwnServer;
use crate::support::{add_function, usher_up};

/// Larger than a message of the queues, smaller than the maximum of an event.
const LARGE: usize = 400_000;

/// `MaximumMessageSize` of the queues in bytes.
const LIMIT: usize = 262_144;

/// Answer of SQS to a longer message.
const TOO_LONG: &str = concat!(
    r#"{"__type":"com.amazonaws.sqs#InvalidParameterValue","message":"#,
    r#""One or more parameters are invalid. "#,
    r#"Reason: Message must be shorter than 262144 bytes."}"#
);

/// A proxy that enforces `MaximumMessageSize`, which the test server does not support.
async fn smaller(server: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}", listener.local_addr().unwrap());
    let server = server.to_owned();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let server = server.clone();
            let service = service_fn(move |request| forward(server.clone(), request));
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    here
}

async fn forward(
    server: String,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (mut head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    if body.len() > LIMIT {
        return Ok(http::Response::builder()
            .status(400)
            .body(Full::from(TOO_LONG))
            .unwrap());
    }
    head.headers.remove(HOST);
    head.headers.remove(CONTENT_LENGTH);
    let passed = reqwest::Client::new()
        .request(head.method, format!("{server}{}", head.uri))
        .headers(head.headers)
        .body(body);
    let answer = passed.send().await.unwrap();
    let mut response = http::Response::builder().status(answer.status());
    if let Some(kind) = answer.headers().get(CONTENT_TYPE) {
        response = response.header(CONTENT_TYPE, kind);
    }
    Ok(response
        .body(Full::from(answer.bytes().await.unwrap()))
        .unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_event_leaves_its_record_and_blocks_none() {
    let server = OwnServer::strict();
    let endpoint = smaller(&server.endpoint()).await;
    let project = tempfile::tempdir().unwrap();
    let queue = format!("host-{}", random());
    let invoke = free_address();
    let control = free_address();
    let template = format!(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  GivenUp: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-given-up}}}}
  Dead: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-dead}}}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt Dead.Arn}}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt GivenUp.Arn}}}}
"
    );
    std::fs::write(project.path().join("template.yaml"), template).unwrap();
    let settings = format!("control = '{control}'\n[endpoints]\nsqs = '{endpoint}'\n");
    std::fs::write(project.path().join("usher.toml"), settings).unwrap();
    add_function(project.path());
    let host = usher_up(project.path(), &["--listen", &invoke.to_string()]);
    let url = format!("http://{invoke}/2015-03-31/functions/Echo/invocations");
    let send = async |event: Value| {
        let request = reqwest::Client::new()
            .post(&url)
            .header("X-Amz-Invocation-Type", "Event")
            .body(event.to_string());
        Some(request.send().await.ok()?.status().as_u16()).filter(|status| *status == 202)
    };
    eventually("the large event is accepted", async || {
        send(json!({ "do": "fail", "x": "x".repeat(LARGE) })).await
    })
    .await;
    // a character that no message may contain
    eventually("the odd event is accepted", async || {
        send(json!({ "do": "fail", "x": "\u{ffff}" })).await
    })
    .await;

    let sqs = Sqs::at(&server.endpoint());
    let count = async |name: &str| sqs.count(&format!("{queue}-{name}")).await.ok();
    eventually("both have left a record", async || {
        count("given-up").await.filter(|count| *count == 2)
    })
    .await;
    eventually("what fits is in the dead-letter queue", async || {
        count("dead").await.filter(|count| *count == 1)
    })
    .await;
    let metrics = format!("http://{control}/metrics");
    eventually(
        "the rest is counted as lost, and nothing waits",
        async || {
            let text = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
            let lost = text.contains("usher_events_lost_total{function=\"Echo\"} 1\n");
            (lost && text.contains("usher_events_delivering{function=\"Echo\"} 0\n")).then_some(())
        },
    )
    .await;
    let health: Value = reqwest::get(format!("http://{control}/health"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        (&health["status"], &health["alarms"][0]["of"]),
        (&json!("ok"), &json!("Echo")),
        "{health}"
    );

    let url = format!("{}/000000000000/{queue}-given-up", server.endpoint());
    let received = client(&server.endpoint())
        .receive_message()
        .queue_url(url)
        .max_number_of_messages(10)
        .send()
        .await
        .unwrap();
    let mut events: Vec<Value> = received
        .messages()
        .iter()
        .map(|message| {
            serde_json::from_str::<Value>(message.body().unwrap()).unwrap()["requestPayload"]["x"]
                .clone()
        })
        .collect();
    events.sort_by_key(Value::is_null);
    assert_eq!(
        events,
        [json!("\u{ffff}"), Value::Null],
        "the large one goes without its event"
    );
    drop(host);
}
