//! Standard queues, case by case.

use serde_json::{Value, json};

use super::*;

pub(super) fn location() -> Location {
    Location {
        url: "http://127.0.0.1:1".into(),
        region: "r".into(),
        account: "1".into(),
    }
}

/// A server whose time stands still unless it is moved.
pub(super) struct Server {
    pub(super) queues: Queues,
    pub(super) now: Millis,
    random: u128,
}

impl Server {
    pub(super) fn new() -> Self {
        Self {
            queues: Queues::new(location()),
            now: 1_700_000_000_000,
            random: 0,
        }
    }

    /// A server with one queue, `q`, or `q.fifo` if it is FIFO.
    pub(super) fn with(attributes: &Value) -> Self {
        let mut server = Self::new();
        let fifo = attributes.get("FifoQueue").is_some();
        let name = if fifo { "q.fifo" } else { "q" };
        server.ok(
            "CreateQueue",
            &json!({ "QueueName": name, "Attributes": attributes }),
        );
        server
    }

    pub(super) fn call(&mut self, action: &str, body: &Value) -> Result<Value, ApiError> {
        let request = Request::parse(&format!("AmazonSQS.{action}"), body.to_string().as_bytes())?;
        let random = &mut self.random;
        let mut context = Context {
            now: self.now,
            random: &mut || {
                *random += 1;
                *random << 64 | *random
            },
        };
        let answer = self.queues.call(&request, &mut context)?;
        Ok(strict_json::from_slice(&answer.to_json()).unwrap())
    }

    pub(super) fn ok(&mut self, action: &str, body: &Value) -> Value {
        self.call(action, body).unwrap()
    }

    pub(super) fn kind(&mut self, action: &str, body: &Value) -> ErrorKind {
        self.call(action, body).unwrap_err().kind
    }

    pub(super) fn receive(&mut self, queue: &str) -> Vec<Value> {
        let body = json!({
            "QueueUrl": queue, "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        let received = self.ok("ReceiveMessage", &body);
        received["Messages"].as_array().cloned().unwrap_or_default()
    }

    pub(super) fn bodies(&mut self, queue: &str) -> Vec<String> {
        let received = self.receive(queue);
        let body = |message: &Value| message["Body"].as_str().unwrap().to_owned();
        received.iter().map(body).collect()
    }
}

fn send(server: &mut Server, body: &str) {
    server.ok(
        "SendMessage",
        &json!({ "QueueUrl": "q", "MessageBody": body }),
    );
}

#[test]
fn a_received_message_is_hidden_until_its_timeout() {
    let mut server = Server::with(&json!({ "VisibilityTimeout": "5" }));
    send(&mut server, "m");
    assert_eq!(server.bodies("q"), ["m"]);
    server.now += 4_999;
    assert_eq!(server.bodies("q"), [""; 0]);
    assert_eq!(
        server.queues.next_visible("q", server.now),
        Some(server.now + 1)
    );
    server.now += 1;
    let again = server.receive("q");
    assert_eq!(again[0]["Attributes"]["ApproximateReceiveCount"], "2");
}

#[test]
fn an_old_handle_deletes_nothing() {
    let mut server = Server::with(&json!({ "VisibilityTimeout": "5" }));
    send(&mut server, "m");
    let first = server.receive("q")[0]["ReceiptHandle"].clone();
    server.now += 5_000;
    let second = server.receive("q")[0]["ReceiptHandle"].clone();
    assert_ne!(first, second);
    server.ok(
        "DeleteMessage",
        &json!({ "QueueUrl": "q", "ReceiptHandle": first }),
    );
    server.now += 5_000;
    // the last handle is valid also after its timeout, as long as no other consumer has the message
    server.ok(
        "DeleteMessage",
        &json!({ "QueueUrl": "q", "ReceiptHandle": second }),
    );
    assert_eq!(server.bodies("q"), [""; 0]);
}

#[test]
fn a_message_is_hidden_for_twelve_hours_at_most() {
    let mut server = Server::with(&json!({}));
    send(&mut server, "m");
    let handle = server.receive("q")[0]["ReceiptHandle"].clone();
    let hide = |seconds: i64| json!({ "QueueUrl": "q", "ReceiptHandle": handle, "VisibilityTimeout": seconds });
    server.now += 1_000;
    let refused = server.kind("ChangeMessageVisibility", &hide(43_200));
    assert_eq!(refused, ErrorKind::InvalidParameterValue);
    server.ok("ChangeMessageVisibility", &hide(43_199));
    server.ok("ChangeMessageVisibility", &hide(0));
    let late = server.kind("ChangeMessageVisibility", &hide(1));
    assert_eq!(late, ErrorKind::MessageNotInflight);
}

#[test]
fn a_message_expires_by_its_age() {
    let mut server = Server::with(&json!({ "MessageRetentionPeriod": "60" }));
    send(&mut server, "m");
    server.now += 59_999;
    assert_eq!(server.queues.by_name["q"].counts(server.now).visible, 1);
    server.now += 1;
    assert_eq!(server.bodies("q"), [""; 0]);
    assert_eq!(server.queues.by_name["q"].counts(server.now).visible, 0);
}

#[test]
fn a_dead_letter_keeps_its_age_and_names_its_source() {
    let mut server = Server::new();
    let retention = json!({ "MessageRetentionPeriod": "60" });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "dead", "Attributes": retention }),
    );
    let policy = r#"{"deadLetterTargetArn": "arn:aws:sqs:r:1:dead", "maxReceiveCount": "1"}"#;
    let attributes = json!({ "RedrivePolicy": policy, "VisibilityTimeout": "0" });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "q", "Attributes": attributes }),
    );
    send(&mut server, "m");
    assert_eq!(server.bodies("q"), ["m"]);
    server.now += 30_000;
    assert_eq!(server.bodies("q"), [""; 0]);
    let dead = &server.receive("dead")[0]["Attributes"];
    assert_eq!(dead["DeadLetterQueueSourceArn"], "arn:aws:sqs:r:1:q");
    assert_eq!(dead["ApproximateReceiveCount"], "1");
    server.now += 30_000;
    assert_eq!(server.bodies("dead"), [""; 0], "it was sent 60 s ago");
}

#[test]
fn a_move_task_returns_dead_letters_to_their_source() {
    let mut server = Server::new();
    server.ok("CreateQueue", &json!({ "QueueName": "dead" }));
    let start = json!({ "SourceArn": "arn:aws:sqs:r:1:dead" });
    let refused = server.kind("StartMessageMoveTask", &start);
    assert_eq!(refused, ErrorKind::InvalidParameterValue);
    let policy = r#"{"deadLetterTargetArn": "arn:aws:sqs:r:1:dead", "maxReceiveCount": 1}"#;
    let attributes = json!({ "RedrivePolicy": policy, "VisibilityTimeout": "0" });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "q", "Attributes": attributes }),
    );
    send(&mut server, "m");
    assert_eq!((server.bodies("q").len(), server.bodies("q").len()), (1, 0));
    server.ok("StartMessageMoveTask", &start);
    assert_eq!(server.bodies("q"), ["m"]);
}

#[test]
fn limits_are_those_of_the_service() {
    let mut server = Server::with(&json!({}));
    let of = |body: &str| json!({ "QueueUrl": "q", "MessageBody": body });
    server.ok("SendMessage", &of(&"x".repeat(1_048_576)));
    let refused = server
        .call("SendMessage", &of(&"x".repeat(1_048_577)))
        .unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidParameterValue);
    assert!(
        refused
            .message
            .contains("must be shorter than 1048576 bytes"),
        "{refused}"
    );
    let entry = |id: &str| json!({ "Id": id, "MessageBody": "x".repeat(600_000) });
    let long = json!({ "QueueUrl": "q", "Entries": [entry("1"), entry("2")] });
    assert_eq!(
        server.kind("SendMessageBatch", &long),
        ErrorKind::BatchRequestTooLong
    );
    let empty = json!({ "QueueUrl": "q", "Entries": [] });
    assert_eq!(
        server.kind("SendMessageBatch", &empty),
        ErrorKind::EmptyBatchRequest
    );
    assert_eq!(
        server.kind("SendMessage", &of("")),
        ErrorKind::MissingParameter
    );
    assert_eq!(
        server.kind("SendMessage", &of("\u{1}")),
        ErrorKind::InvalidMessageContents
    );
    assert_eq!(
        server.kind("SendMessage", &json!({ "QueueUrl": "q" })),
        ErrorKind::MissingParameter
    );
    assert_eq!(
        server.kind("Nothing", &json!({})),
        ErrorKind::UnknownOperation
    );
    assert_eq!(
        server.kind("SendMessage", &json!([1])),
        ErrorKind::Serialization
    );
}

#[test]
fn a_queue_has_no_target_that_does_not_fit() {
    let mut server = Server::new();
    let policy = |name: &str, count: &str| {
        format!(
            r#"{{"deadLetterTargetArn": "arn:aws:sqs:r:1:{name}", "maxReceiveCount": {count}}}"#
        )
    };
    let fifo = json!({ "FifoQueue": "true" });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "f.fifo", "Attributes": fifo }),
    );
    server.ok("CreateQueue", &json!({ "QueueName": "dead" }));
    for (name, count) in [
        ("none", "1"),
        ("f.fifo", "1"),
        ("q", "1"),
        ("dead", "0"),
        ("dead", "[]"),
    ] {
        let attributes = json!({ "RedrivePolicy": policy(name, count) });
        let body = json!({ "QueueName": "q", "Attributes": attributes });
        let refused = server.kind("CreateQueue", &body);
        assert_eq!(refused, ErrorKind::InvalidParameterValue, "{name} {count}");
    }
    assert!(
        !server.queues.by_name.contains_key("q"),
        "nothing is half created"
    );
}

#[test]
fn the_wait_is_that_of_the_call_else_of_the_queue() {
    let server = Server::with(&json!({ "ReceiveMessageWaitTimeSeconds": "7" }));
    let wait = |body: Value| {
        let body = body.to_string();
        let request = Request::parse("AmazonSQS.ReceiveMessage", body.as_bytes()).unwrap();
        server.queues.wait_time(&request).as_secs()
    };
    assert_eq!(wait(json!({ "QueueUrl": "q" })), 7);
    assert_eq!(wait(json!({ "QueueUrl": "q", "WaitTimeSeconds": 0 })), 0);
    assert_eq!(wait(json!({ "QueueUrl": "none" })), 0);
}
