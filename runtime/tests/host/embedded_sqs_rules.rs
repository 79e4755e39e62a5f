//! Batches, FIFO queues and refusals: the same cases against the embedded queues and `ElasticMQ`.

use aws_sdk_sqs::types::MessageSystemAttributeName as System;
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, SendMessageBatchRequestEntry};

use crate::embedded_sqs_fixture::{Server, cases, code, system};

cases!(
    entries_of_a_batch_fail_alone,
    a_batch_is_refused_as_a_whole,
    a_group_is_delivered_in_order_and_blocked_in_flight,
    a_deduplication_id_is_delivered_once,
);

async fn entries_of_a_batch_fail_alone(server: Server) {
    let url = server.queue("q", &[]).await;
    let entry = |id: &str, body: &str, delay: i32| {
        let entry = SendMessageBatchRequestEntry::builder().id(id);
        entry
            .message_body(body)
            .delay_seconds(delay)
            .build()
            .unwrap()
    };
    let batch = server.client.send_message_batch().queue_url(&url);
    let batch = batch
        .entries(entry("good", "1", 0))
        .entries(entry("bad", "2", 901));
    let sent = batch.send().await.unwrap();
    assert_eq!(sent.successful()[0].id(), "good");
    assert_eq!(sent.failed()[0].id(), "bad");
    if !server.is_embedded {
        // Codes are not compared with ElasticMQ, which has names of its own.
        return;
    }
    assert_eq!(sent.failed()[0].code(), "InvalidParameterValue");
    assert!(sent.failed()[0].sender_fault());
    let message = server.next(&url).await;
    let entry = |id: &str, handle: &str| {
        let entry = DeleteMessageBatchRequestEntry::builder().id(id);
        entry.receipt_handle(handle).build().unwrap()
    };
    let batch = server.client.delete_message_batch().queue_url(&url);
    let batch = batch.entries(entry("good", message.receipt_handle().unwrap()));
    let deleted = batch
        .entries(entry("bad", "no handle"))
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.successful()[0].id(), "good");
    assert_eq!(deleted.failed()[0].code(), "ReceiptHandleIsInvalid");
}

async fn a_batch_is_refused_as_a_whole(server: Server) {
    let url = server.queue("q", &[]).await;
    let send = async |ids: &[&str], size: usize| {
        let entries = ids.iter().map(|id| {
            let entry = SendMessageBatchRequestEntry::builder().id(*id);
            entry.message_body("x".repeat(size)).build().unwrap()
        });
        let batch = server.client.send_message_batch().queue_url(&url);
        batch.set_entries(Some(entries.collect())).send().await
    };
    let eleven = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
    let many = send(&eleven, 1).await;
    if !server.is_embedded {
        // ElasticMQ accepts eleven entries; its other limits are not compared.
        assert_eq!(many.unwrap().successful().len(), eleven.len());
        return;
    }
    let many = many.unwrap_err().into_service_error();
    assert!(many.is_too_many_entries_in_batch_request(), "{many:?}");
    let refused = async |ids: &[&str], size| {
        let sent = send(ids, size).await;
        sent.unwrap_err().into_service_error()
    };
    assert!(
        refused(&["a", "a"], 1)
            .await
            .is_batch_entry_ids_not_distinct()
    );
    assert!(refused(&[], 1).await.is_empty_batch_request());
    assert!(refused(&["a b"], 1).await.is_invalid_batch_entry_id());
    assert!(
        refused(&["a", "b"], 600_000)
            .await
            .is_batch_request_too_long()
    );
    assert_eq!(server.bodies(&url).await, [""; 0], "nothing was accepted");
}

async fn a_group_is_delivered_in_order_and_blocked_in_flight(server: Server) {
    let fifo = [(Name::FifoQueue, "true"), (Name::VisibilityTimeout, "30")];
    let url = server.queue("q.fifo", &fifo).await;
    for (group, body) in [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")] {
        server.send_to_group(&url, group, body).await;
    }
    let first = server.next(&url).await;
    assert_eq!(first.body(), Some("1"));
    assert_eq!(system(&first, &System::MessageGroupId), "a");
    assert_eq!(server.bodies(&url).await, ["3"], "group a waits");
    server.delete(&url, &first).await;
    let rest = server.receive(&url).await;
    let bodies: Vec<_> = rest.iter().filter_map(Message::body).collect();
    assert_eq!(bodies, ["2", "4"]);
    let number = |at: usize| system(&rest[at], &System::SequenceNumber);
    assert!(number(0) < number(1), "{} {}", number(0), number(1));
    server.hide(&url, &rest[0], 0).await;
    if server.is_embedded {
        // Not compared with ElasticMQ.
        assert_eq!(server.bodies(&url).await, [""; 0]);
    }
    server.hide(&url, &rest[1], 0).await;
    let again = server.bodies(&url).await;
    assert!(again == ["2", "4"], "{again:?}");
}

async fn a_deduplication_id_is_delivered_once(server: Server) {
    let fifo = [
        (Name::FifoQueue, "true"),
        (Name::ContentBasedDeduplication, "true"),
    ];
    let url = server.queue("q.fifo", &fifo).await;
    let by_content = async |body: &str| {
        let send = server
            .client
            .send_message()
            .queue_url(&url)
            .message_body(body);
        send.message_group_id("g").send().await.unwrap()
    };
    let first = by_content("same").await;
    let second = by_content("same").await;
    assert_eq!(first.message_id(), second.message_id());
    assert_eq!(first.sequence_number(), second.sequence_number());
    let id = server.send_to_group(&url, "g", "given").await;
    assert_eq!(server.send_to_group(&url, "h", "given").await, id);
    assert_eq!(server.bodies(&url).await, ["same", "given"]);
}

#[tokio::test]
async fn invalid_calls_are_refused() {
    let server = Server::embedded().await;
    let url = server.queue("q", &[]).await;
    let client = &server.client;
    let of = |body: &str| client.send_message().queue_url(&url).message_body(body);
    let long = code(of(&"x".repeat(1_048_577)).send().await);
    assert_eq!(long, "InvalidParameterValue");
    let control = code(of("\u{1}").send().await);
    assert_eq!(control, "InvalidMessageContents");
    let receive = client.receive_message().queue_url(&url);
    let many = code(receive.max_number_of_messages(11).send().await);
    assert_eq!(many, "InvalidParameterValue");
    let delete = client.delete_message().queue_url(&url);
    let handle = delete.receipt_handle("no handle").send().await;
    let handle = handle.unwrap_err().into_service_error();
    assert!(handle.is_receipt_handle_is_invalid(), "{handle:?}");
    let get = client.get_queue_attributes().queue_url(&url);
    let unknown = get.attribute_names("Colour".into()).send().await;
    let unknown = unknown.unwrap_err().into_service_error();
    assert!(unknown.is_invalid_attribute_name(), "{unknown:?}");
    let name = code(client.create_queue().queue_name("a b").send().await);
    assert_eq!(name, "InvalidParameterValue");
}
