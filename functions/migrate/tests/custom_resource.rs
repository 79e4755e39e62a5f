//! Requests of `CloudFormation`, answered to a server in the place of S3.

use std::convert::Infallible;
use std::io::Error;
use std::time::{Duration, Instant};

use migrate::{HandleError, UploadError, handle};
use serde_json::{Value, json};
use shared::store::Migrated;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Time of an invocation that is far from its end.
const TIME: Duration = Duration::from_secs(60);

/// A server that answers each request with the next of `statuses`, the last one for ever.
struct Bucket {
    url: String,
    requests: UnboundedReceiver<(String, Value)>,
}

impl Bucket {
    async fn answering(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (sender, requests) = unbounded_channel();
        tokio::spawn(async move {
            let mut statuses = statuses.iter();
            let mut status = "500 Internal Server Error";
            while let Ok((mut stream, _)) = listener.accept().await {
                status = statuses.next().copied().unwrap_or(status);
                let request = read(&mut stream).await;
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("the client reads");
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Self {
            url: format!("http://{address}/answer?X-Amz-Signature=abc"),
            requests,
        }
    }

    async fn next(&mut self) -> (String, Value) {
        self.requests.recv().await.expect("a request")
    }
}

/// Head and body of a request.
async fn read(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1).expect("a length");
            let length: usize = length
                .lines()
                .next()
                .expect("a line")
                .parse()
                .expect("a number");
            if body.len() >= length {
                return (head, serde_json::from_str(body).expect("JSON"));
            }
        }
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).await.expect("a request");
        assert!(count > 0, "the request broke off");
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn event(request_type: &str, url: &str) -> Value {
    json!({
        "RequestType": request_type, "ResponseURL": url, "StackId": "stack", "RequestId": "r-1",
        "LogicalResourceId": "Migration", "ResourceType": "Custom::Migration",
    })
}

fn migrated() -> std::future::Ready<Result<Migrated, Infallible>> {
    std::future::ready(Ok(Migrated {
        schema: "demo".into(),
        applied: vec!["0001_sale".into()],
        version: 1,
        granted: Vec::new(),
    }))
}

#[tokio::test]
async fn a_deployment_continues_after_the_migration() {
    let mut bucket = Bucket::answering(&["200 OK"]).await;
    let event = event("Create", &bucket.url);
    let response = handle(&event, "demo", TIME, migrated()).await.unwrap();
    assert_eq!(response, json!({ "answered": "SUCCESS" }));
    let (head, answer) = bucket.next().await;
    assert!(
        head.starts_with("put /answer?x-amz-signature=abc "),
        "{head}"
    );
    // A presigned URL is refused with a header that its signature does not cover.
    assert!(!head.contains("content-type"), "{head}");
    assert_eq!(answer["Status"], "SUCCESS");
    assert_eq!(answer["Data"]["Version"], 1);
    assert_eq!(answer["PhysicalResourceId"], "demo");
}

#[tokio::test]
async fn a_failed_migration_stops_the_deployment() {
    let mut bucket = Bucket::answering(&["200 OK"]).await;
    let migration = async { Err(Error::other("no such database")) };
    let event = event("Update", &bucket.url);
    let response = handle(&event, "demo", TIME, migration).await.unwrap();
    assert_eq!(response, json!({ "answered": "FAILED" }));
    let (_, answer) = bucket.next().await;
    assert_eq!(answer["Status"], "FAILED");
    assert_eq!(answer["Reason"], "no such database");
}

#[tokio::test]
async fn a_migration_without_end_is_answered_in_time() {
    let mut bucket = Bucket::answering(&["200 OK"]).await;
    let began = Instant::now();
    let time = Duration::from_secs(2);
    let migration = std::future::pending::<Result<Migrated, Infallible>>();
    let event = event("Update", &bucket.url);
    handle(&event, "demo", time, migration).await.unwrap();
    assert!(began.elapsed() < time, "{:?}", began.elapsed());
    let (_, answer) = bucket.next().await;
    assert_eq!(answer["Status"], "FAILED");
    let reason = answer["Reason"].as_str().unwrap();
    assert!(reason.contains("MigrateTimeoutSeconds"), "{reason}");
}

#[tokio::test]
async fn a_deletion_keeps_the_schema() {
    let mut bucket = Bucket::answering(&["200 OK"]).await;
    let migration = async { unreachable!("a deletion migrates nothing") };
    let event = event("Delete", &bucket.url);
    handle::<Infallible>(&event, "demo", TIME, migration)
        .await
        .unwrap();
    assert_eq!(bucket.next().await.1["Status"], "SUCCESS");
}

#[tokio::test]
async fn an_upload_is_repeated_after_a_passing_failure() {
    let mut bucket = Bucket::answering(&["503 Slow Down", "500 Error", "200 OK"]).await;
    let event = event("Create", &bucket.url);
    handle(&event, "demo", TIME, migrated()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(bucket.next().await.1["Status"], "SUCCESS");
    }
}

#[tokio::test]
async fn a_refused_upload_fails_the_invocation() {
    let mut bucket = Bucket::answering(&["403 Forbidden"]).await;
    let event = event("Create", &bucket.url);
    let error = handle(&event, "demo", TIME, migrated()).await.unwrap_err();
    let refused = matches!(
        &error,
        HandleError::Upload(UploadError::Refused(status)) if *status == 403
    );
    assert!(refused, "{error}");
    bucket.next().await;
    assert!(bucket.requests.try_recv().is_err(), "sent once only");
}

#[tokio::test]
async fn an_answer_is_never_sent_without_tls() {
    for url in ["http://example.com/a", "ftp://127.0.0.1/a", "answer"] {
        let event = event("Create", url);
        let error = handle(&event, "demo", TIME, migrated()).await.unwrap_err();
        assert!(
            matches!(error, HandleError::Upload(UploadError::Url)),
            "{url}: {error}"
        );
    }
}

#[tokio::test]
async fn other_events_return_what_was_applied() {
    let event = json!({"reason": "first deployment"});
    let response = handle(&event, "demo", TIME, migrated()).await.unwrap();
    assert_eq!(
        response,
        json!({"schema": "demo", "applied": ["0001_sale"], "version": 1})
    );
}
