//! A queue of its own.

use std::collections::HashMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use shared::sqs::{Fifo, NewMessage, Queue};
use testkit::servers::sqs_endpoint;
use testkit::sqs::client;
use testkit::with_cleanup;

pub(crate) struct TestEnvironment {
    pub(crate) client: Client,
    pub(crate) url: String,
}

/// Runs a test with a new queue, and deletes the queue however the test ends.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    fifo: bool,
    test: impl FnOnce(std::sync::Arc<TestEnvironment>) -> F + Send + 'static,
) {
    let client = client(&sqs_endpoint());
    let name = testkit::prefix() + if fifo { ".fifo" } else { "" };
    let mut create = client.create_queue().queue_name(name);
    if fifo {
        create = create.attributes(QueueAttributeName::FifoQueue, "true");
    }
    let created = create.send().await;
    let created = created.unwrap_or_else(|e| {
        panic!(
            "no SQS at {} ({e:?}): run `scripts/servers start sqs`",
            sqs_endpoint()
        )
    });
    let environment = std::sync::Arc::new(TestEnvironment {
        client,
        url: created.queue_url().expect("a URL").to_owned(),
    });
    with_cleanup(test(environment.clone()), async {
        let delete = environment
            .client
            .delete_queue()
            .queue_url(&environment.url);
        delete.send().await.expect("deleted");
    })
    .await;
}

impl TestEnvironment {
    pub(crate) fn queue(&self) -> Queue {
        Queue::new(self.client.clone(), &self.url)
    }

    /// Receives and deletes messages until there are `count`.
    pub(crate) async fn receive(&self, count: usize) -> Vec<Message> {
        let mut all = Vec::new();
        while all.len() < count {
            let receive = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .wait_time_seconds(10);
            let received = receive
                .message_attribute_names("All")
                .send()
                .await
                .expect("SQS runs");
            let messages = received.messages.unwrap_or_default();
            assert!(!messages.is_empty(), "{} of {count} came", all.len());
            for message in &messages {
                let handle = message.receipt_handle().expect("a handle");
                self.client
                    .delete_message()
                    .queue_url(&self.url)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .expect("deleted");
            }
            all.extend(messages);
        }
        assert_eq!(all.len(), count);
        all
    }
}

pub(crate) fn message(body: &str) -> NewMessage {
    NewMessage {
        body: body.to_owned(),
        attributes: vec![],
        fifo: None,
    }
}

pub(crate) fn fifo(body: &str, group: &str, deduplication: &str) -> NewMessage {
    let fifo = Fifo {
        group: group.to_owned(),
        deduplication: deduplication.to_owned(),
    };
    NewMessage {
        fifo: Some(fifo),
        ..message(body)
    }
}

/// Text attributes by name.
pub(crate) fn attributes(message: &Message) -> HashMap<String, String> {
    let attributes = message.message_attributes().into_iter().flatten();
    attributes
        .map(|(name, value)| (name.clone(), value.string_value().expect("text").to_owned()))
        .collect()
}
