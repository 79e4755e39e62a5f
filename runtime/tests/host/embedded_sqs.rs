//! The same cases against the embedded queues and against `ElasticMQ`. Where that differs from what
//! AWS documents, the case says so, and the embedded queues are as AWS documents.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::MessageSystemAttributeName as System;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeNameForSends, MessageSystemAttributeValue,
};

use crate::embedded_sqs_fixture::{Server, cases, system};

cases!(
    queues_are_created_found_listed_and_deleted,
    attributes_travel_with_the_digests_of_the_service,
    a_receive_waits_for_messages_and_delays,
    a_hidden_message_returns_with_another_handle,
    a_message_received_too_often_is_a_dead_letter,
    attributes_of_a_queue_can_change,
);

async fn queues_are_created_found_listed_and_deleted(server: Server) {
    let client = &server.client;
    let url = server.queue("q", &[(Name::VisibilityTimeout, "7")]).await;
    assert_eq!(
        server.queue("q", &[(Name::VisibilityTimeout, "7")]).await,
        url
    );
    let other = client.create_queue().queue_name(server.name("q"));
    let other = other.attributes(Name::VisibilityTimeout, "8").send().await;
    let other = other.unwrap_err().into_service_error();
    // ElasticMQ refuses it with a code of its own.
    assert!(
        other.is_queue_name_exists() || !server.is_embedded,
        "{other:?}"
    );
    let found = client.get_queue_url().queue_name(server.name("q")).send();
    assert_eq!(found.await.unwrap().queue_url.unwrap(), url);
    let unknown = client
        .get_queue_url()
        .queue_name(server.name("none"))
        .send();
    let unknown = unknown.await.unwrap_err().into_service_error();
    // The SDK does not know ElasticMQ's code for it.
    assert!(
        unknown.is_queue_does_not_exist() || !server.is_embedded,
        "{unknown:?}"
    );
    for name in ["r", "s"] {
        server.queue(name, &[]).await;
    }
    let all = client
        .list_queues()
        .queue_name_prefix(&server.prefix)
        .send();
    assert_eq!(all.await.unwrap().queue_urls().len(), 3);
    if server.is_embedded {
        // Pages are not compared with ElasticMQ.
        let pages = client.list_queues().queue_name_prefix(&server.prefix);
        let mut pages = pages.max_results(2).into_paginator().send();
        let mut sizes = Vec::new();
        while let Some(page) = pages.next().await {
            sizes.push(page.unwrap().queue_urls().len());
        }
        assert_eq!(sizes, [2, 1]);
    }
    server.send(&url, "m").await;
    client.purge_queue().queue_url(&url).send().await.unwrap();
    assert_eq!(server.bodies(&url).await, [""; 0]);
    client.delete_queue().queue_url(&url).send().await.unwrap();
    let gone = client
        .send_message()
        .queue_url(&url)
        .message_body("m")
        .send();
    let gone = gone.await.unwrap_err().into_service_error();
    assert!(
        gone.is_queue_does_not_exist() || !server.is_embedded,
        "{gone:?}"
    );
}

async fn attributes_travel_with_the_digests_of_the_service(server: Server) {
    let url = server.queue("q", &[]).await;
    let text = |kind: &str, value: &str| {
        let attribute = MessageAttributeValue::builder().data_type(kind);
        attribute.string_value(value).build().unwrap()
    };
    let raw = MessageAttributeValue::builder().data_type("Binary");
    let raw = raw.binary_value(Blob::new(b"\x00\xffab")).build().unwrap();
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    let header = MessageSystemAttributeValue::builder().data_type("String");
    let header = header.string_value(trace).build().unwrap();
    let send = server
        .client
        .send_message()
        .queue_url(&url)
        .message_body("grüße");
    let send = send
        .message_attributes("kind", text("String", "beach"))
        .message_attributes("count", text("Number.int", "42"))
        .message_attributes("raw", raw.clone())
        .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header);
    let sent = send.send().await.unwrap();
    // computed by the algorithm of the developer guide, apart from both servers
    let digests = [
        (
            sent.md5_of_message_body(),
            "fee40dc24d0ad6a90c608052aa4e9e66",
        ),
        (sent.md5_of_message_attributes(), ATTRIBUTES),
    ];
    for (found, expected) in digests {
        assert_eq!(found, Some(expected));
    }
    if !server.is_embedded {
        // ElasticMQ returns no digest of system attributes.
        assert_eq!(sent.md5_of_message_system_attributes(), None);
        return;
    }
    assert_eq!(sent.md5_of_message_system_attributes(), Some(SYSTEM));
    let receive = server.client.receive_message().queue_url(&url);
    let receive = receive
        .visibility_timeout(0)
        .message_attribute_names("ki.*");
    let received = receive.send().await.unwrap().messages.unwrap();
    let message = &received[0];
    let names: Vec<_> = message.message_attributes().unwrap().keys().collect();
    assert_eq!(names, ["kind"]);
    assert_eq!(message.md5_of_message_attributes(), Some(ONE_ATTRIBUTE));
    assert!(message.attributes().is_none_or(HashMap::is_empty));
    let message = server.receive(&url).await.remove(0);
    let found = message.message_attributes().unwrap();
    assert_eq!(
        (&found["raw"], &found["count"]),
        (&raw, &text("Number.int", "42"))
    );
    assert_eq!(message.md5_of_message_attributes(), Some(ATTRIBUTES));
    assert_eq!(message.message_id(), sent.message_id());
    assert_eq!(system(&message, &System::AwsTraceHeader), trace);
    assert_eq!(system(&message, &System::ApproximateReceiveCount), "2");
    let ms = |name| system(&message, &name).parse::<u64>().unwrap();
    assert!(ms(System::SentTimestamp) <= ms(System::ApproximateFirstReceiveTimestamp));
}

const ATTRIBUTES: &str = "21b3a62c918b5b633f8a1088e3248db8";
const ONE_ATTRIBUTE: &str = "99271b1a67eebe29790ab83d3f8da650";
const SYSTEM: &str = "62a56dd927315f2b2e12832b84617ea5";

async fn a_receive_waits_for_messages_and_delays(server: Server) {
    let url = server.queue("q", &[]).await;
    let (message, _) = tokio::join!(server.next(&url), server.send(&url, "first"));
    assert_eq!(message.body(), Some("first"));
    let delayed = server
        .client
        .send_message()
        .queue_url(&url)
        .message_body("delayed");
    delayed.delay_seconds(1).send().await.unwrap();
    assert_eq!(server.bodies(&url).await, [""; 0]);
    assert_eq!(
        server
            .count(&url, Name::ApproximateNumberOfMessagesDelayed)
            .await,
        1
    );
    assert_eq!(server.next(&url).await.body(), Some("delayed"));
    let patient = [
        (Name::ReceiveMessageWaitTimeSeconds, "15"),
        (Name::DelaySeconds, "1"),
    ];
    let patient = server.queue("patient", &patient).await;
    server.send(&patient, "m").await;
    assert_eq!(
        server.bodies(&patient).await,
        ["m"],
        "the queue's own wait and delay"
    );
}

async fn a_hidden_message_returns_with_another_handle(server: Server) {
    let url = server.queue("q", &[(Name::VisibilityTimeout, "1")]).await;
    server.send(&url, "m").await;
    let first = server.next(&url).await;
    server.hide(&url, &first, 30).await;
    assert_eq!(server.bodies(&url).await, [""; 0]);
    assert_eq!(
        server
            .count(&url, Name::ApproximateNumberOfMessagesNotVisible)
            .await,
        1
    );
    server.hide(&url, &first, 0).await;
    let second = server.next(&url).await;
    assert_ne!(first.receipt_handle(), second.receipt_handle());
    // a second later, by itself
    let third = server.next(&url).await;
    assert_eq!(system(&third, &System::ApproximateReceiveCount), "3");
    server.delete(&url, &third).await;
    if !server.is_embedded {
        // ElasticMQ refuses the handle of a deleted message.
        return;
    }
    server.delete(&url, &third).await;
    assert_eq!(
        server
            .count(&url, Name::ApproximateNumberOfMessagesNotVisible)
            .await,
        0
    );
    let late = server.client.change_message_visibility().queue_url(&url);
    let late = late.receipt_handle(third.receipt_handle().unwrap());
    let late = late.visibility_timeout(1).send().await;
    assert!(late.is_err(), "the message does not exist");
}

async fn a_message_received_too_often_is_a_dead_letter(server: Server) {
    let dead = server.queue("dead", &[]).await;
    let get = server.client.get_queue_attributes().queue_url(&dead);
    let found = get.attribute_names(Name::QueueArn).send().await.unwrap();
    let arn = found.attributes.unwrap()[&Name::QueueArn].clone();
    let policy = format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":2}}"#);
    let attributes = [
        (Name::RedrivePolicy, policy.as_str()),
        (Name::VisibilityTimeout, "0"),
    ];
    let url = server.queue("q", &attributes).await;
    let id = server.send(&url, "m").await;
    for _ in 0..2 {
        assert_eq!(server.bodies(&url).await, ["m"]);
    }
    assert_eq!(server.bodies(&url).await, [""; 0]);
    let letter = server.next(&dead).await;
    assert_eq!(
        (letter.message_id(), letter.body()),
        (Some(id.as_str()), Some("m"))
    );
    let source = system(&letter, &System::DeadLetterQueueSourceArn);
    assert!(source.ends_with(&server.name("q")), "{source}");
    let sources = server
        .client
        .list_dead_letter_source_queues()
        .queue_url(&dead);
    if server.is_embedded {
        // Not compared with ElasticMQ.
        assert_eq!(sources.send().await.unwrap().queue_urls(), [url.as_str()]);
    }
}

async fn attributes_of_a_queue_can_change(server: Server) {
    let url = server.queue("q", &[]).await;
    let set = server.client.set_queue_attributes().queue_url(&url);
    let set = set.attributes(Name::VisibilityTimeout, "0");
    set.send().await.unwrap();
    assert_eq!(server.count(&url, Name::VisibilityTimeout).await, 0);
    server.send(&url, "m").await;
    let twice = [server.bodies(&url).await, server.bodies(&url).await].concat();
    assert_eq!(twice, ["m", "m"]);
    assert_eq!(
        server.count(&url, Name::ApproximateNumberOfMessages).await,
        1
    );
}

/// Every message reaches one consumer, with many of them at once.
#[tokio::test]
async fn concurrent_consumers_share_the_messages() {
    let server = Server::embedded().await;
    let url = server
        .queue("q", &[(Name::ReceiveMessageWaitTimeSeconds, "1")])
        .await;
    let consume = async || {
        let mut seen = Vec::new();
        loop {
            let received = server.receive(&url).await;
            if received.is_empty() {
                return seen;
            }
            for message in received {
                server.delete(&url, &message).await;
                seen.push(message.body.unwrap());
            }
        }
    };
    let produce = async |from: usize| {
        for at in from..from + 50 {
            server.send(&url, &at.to_string()).await;
        }
    };
    let (one, two, three, (), ()) =
        tokio::join!(consume(), consume(), consume(), produce(0), produce(50));
    let seen = [one, two, three].concat();
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (100, 100));
}

#[tokio::test]
async fn only_programs_of_this_machine_may_call() {
    let folder = tempfile::TempDir::new().unwrap();
    let (_server, url) = crate::embedded_sqs_fixture::embedded(folder.path(), false).await;
    let call = |name: &'static str, value: &'static str| {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20));
        let request = client.build().unwrap().post(&url).header(name, value);
        request
            .header("x-amz-target", "AmazonSQS.ListQueues")
            .body("{}")
    };
    let answered = call("accept", "*/*").send().await.unwrap();
    assert_eq!(answered.status(), 200);
    for (name, value) in [
        ("origin", "http://127.0.0.1:1"),
        ("host", "page.example:18324"),
    ] {
        let refused = call(name, value).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{name}");
        let query = refused.headers()["x-amzn-query-error"].to_str().unwrap();
        assert_eq!(query, "AWS.SimpleQueueService.UnsupportedOperation;Sender");
    }
    let old = reqwest::Client::new().post(&url).body("Action=ListQueues");
    let text = old.send().await.unwrap().text().await.unwrap();
    assert!(text.contains("X-Amz-Target"), "{text}");
}
