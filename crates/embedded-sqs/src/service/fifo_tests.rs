//! FIFO queues, case by case.

use serde_json::{Value, json};

use super::case_tests::Server;
use super::*;

fn send(server: &mut Server, group: &str, body: &str) -> Value {
    let message = json!({
        "QueueUrl": "q.fifo", "MessageBody": body, "MessageGroupId": group,
        "MessageDeduplicationId": body,
    });
    server.ok("SendMessage", &message)
}

fn server() -> Server {
    Server::with(&json!({ "FifoQueue": "true", "VisibilityTimeout": "10" }))
}

fn of_handle(handle: &Value) -> Value {
    json!({ "QueueUrl": "q.fifo", "ReceiptHandle": handle })
}

#[test]
fn a_group_waits_for_its_messages_in_flight() {
    let mut server = server();
    for (group, body) in [("g", "1"), ("g", "2"), ("h", "3")] {
        send(&mut server, group, body);
    }
    let one = json!({ "QueueUrl": "q.fifo" });
    let first = server.ok("ReceiveMessage", &one)["Messages"][0].clone();
    assert_eq!(first["Body"], "1");
    assert_eq!(
        server.bodies("q.fifo"),
        ["3"],
        "the other group does not wait"
    );
    server.ok("DeleteMessage", &of_handle(&first["ReceiptHandle"]));
    assert_eq!(server.bodies("q.fifo"), ["2"]);
}

#[test]
fn later_messages_wait_for_an_earlier_one_that_is_hidden_longer() {
    let mut server = server();
    for body in ["1", "2"] {
        send(&mut server, "g", body);
    }
    let both = server.receive("q.fifo");
    let mut longer = of_handle(&both[0]["ReceiptHandle"]);
    longer["VisibilityTimeout"] = 15.into();
    server.ok("ChangeMessageVisibility", &longer);
    server.now += 12_000;
    assert_eq!(server.bodies("q.fifo"), [""; 0]);
    server.now += 3_000;
    assert_eq!(server.bodies("q.fifo"), ["1", "2"]);
}

#[test]
fn a_released_message_waits_for_the_others_of_its_batch() {
    let mut server = server();
    for body in ["1", "2"] {
        send(&mut server, "g", body);
    }
    let both = server.receive("q.fifo");
    for (at, after) in [(0, vec![]), (1, vec!["1", "2"])] {
        let mut release = of_handle(&both[at]["ReceiptHandle"]);
        release["VisibilityTimeout"] = 0.into();
        server.ok("ChangeMessageVisibility", &release);
        assert_eq!(server.bodies("q.fifo"), after);
    }
}

#[test]
fn an_expired_handle_deletes_nothing() {
    let mut server = server();
    send(&mut server, "g", "1");
    let handle = server.receive("q.fifo")[0]["ReceiptHandle"].clone();
    server.now += 10_000;
    let refused = server.kind("DeleteMessage", &of_handle(&handle));
    assert_eq!(refused, ErrorKind::InvalidParameterValue);
    assert_eq!(server.bodies("q.fifo"), ["1"]);
}

#[test]
fn a_repeated_id_is_accepted_and_not_delivered_for_five_minutes() {
    let mut server = server();
    let first = send(&mut server, "g", "1");
    let handle = server.receive("q.fifo")[0]["ReceiptHandle"].clone();
    server.ok("DeleteMessage", &of_handle(&handle));
    server.now += 299_999;
    let second = send(&mut server, "other", "1");
    assert_eq!(
        (&first["MessageId"], &first["SequenceNumber"]),
        (&second["MessageId"], &second["SequenceNumber"])
    );
    assert_eq!(
        server.bodies("q.fifo"),
        [""; 0],
        "also after it was deleted"
    );
    server.now += 1;
    let third = send(&mut server, "g", "1");
    assert_ne!(first["MessageId"], third["MessageId"]);
    assert!(third["SequenceNumber"].as_str() > first["SequenceNumber"].as_str());
}

#[test]
fn an_id_may_be_unique_within_its_group() {
    let mut server = Server::with(&json!({
        "FifoQueue": "true", "ContentBasedDeduplication": "true",
        "DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId",
    }));
    for group in ["g", "h", "g"] {
        let body = json!({ "QueueUrl": "q.fifo", "MessageBody": "m", "MessageGroupId": group });
        server.ok("SendMessage", &body);
    }
    assert_eq!(server.bodies("q.fifo"), ["m", "m"]);
}

#[test]
fn parameters_of_the_other_kind_are_refused() {
    let mut server = server();
    let body = |more: Value| {
        let mut body = json!({ "QueueUrl": "q.fifo", "MessageBody": "m" });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    for (more, expected) in [
        (json!({}), ErrorKind::MissingParameter),
        (
            json!({ "MessageGroupId": "g" }),
            ErrorKind::InvalidParameterValue,
        ),
        (
            json!({ "MessageGroupId": "g", "MessageDeduplicationId": "1", "DelaySeconds": 1 }),
            ErrorKind::InvalidParameterValue,
        ),
        (
            json!({ "MessageGroupId": "a b", "MessageDeduplicationId": "1" }),
            ErrorKind::InvalidParameterValue,
        ),
    ] {
        assert_eq!(
            server.kind("SendMessage", &body(more.clone())),
            expected,
            "{more}"
        );
    }
    server.ok("CreateQueue", &json!({ "QueueName": "s" }));
    let standard = json!({ "QueueUrl": "s", "MessageBody": "m", "MessageDeduplicationId": "1" });
    assert_eq!(
        server.kind("SendMessage", &standard),
        ErrorKind::InvalidParameterValue
    );
    let fair = json!({ "QueueUrl": "s", "MessageBody": "m", "MessageGroupId": "tenant" });
    server.ok("SendMessage", &fair);
    assert_eq!(
        server.receive("s")[0]["Attributes"]["MessageGroupId"],
        "tenant"
    );
}

#[test]
fn a_dead_letter_frees_its_group() {
    let mut server = Server::new();
    let fifo = json!({ "FifoQueue": "true" });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "dead.fifo", "Attributes": fifo }),
    );
    let policy = r#"{"deadLetterTargetArn": "arn:aws:sqs:r:1:dead.fifo", "maxReceiveCount": 1}"#;
    let attributes = json!({
        "FifoQueue": "true", "VisibilityTimeout": "0", "RedrivePolicy": policy,
    });
    server.ok(
        "CreateQueue",
        &json!({ "QueueName": "q.fifo", "Attributes": attributes }),
    );
    for body in ["1", "2"] {
        send(&mut server, "g", body);
    }
    let one = json!({ "QueueUrl": "q.fifo" });
    assert_eq!(
        server.ok("ReceiveMessage", &one)["Messages"][0]["Body"],
        "1"
    );
    assert_eq!(
        server.ok("ReceiveMessage", &one)["Messages"][0]["Body"],
        "2"
    );
    assert_eq!(server.bodies("dead.fifo"), ["1"]);
}
