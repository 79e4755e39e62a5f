//! Two servers for the same cases: the embedded queues in this process, and `ElasticMQ`.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use sam_template::model::{Application, EmbeddedQueues};
use tempfile::TempDir;
use usher::embedded_queues::EmbeddedServer;
use usher::listener::{Endpoint, Listener};
use usher::supervision::ComponentRegistry;

use crate::kafka_fixture::random;
use crate::sqs_fixture::endpoint;

/// A test of each case for each server.
macro_rules! cases {
    ($($case:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::embedded_sqs_fixture::Server::embedded().await).await;
            })*
        }
        mod elasticmq {
            $(#[tokio::test]
            async fn $case() {
                super::$case(crate::embedded_sqs_fixture::Server::elasticmq()).await;
            })*
        }
    };
}
pub(crate) use cases;

/// Seconds that a receive waits for a message that must come.
const WAIT: i32 = 15;

/// A server, and names of its own for the queues of one test.
pub(crate) struct Server {
    pub(crate) client: Client,
    pub(crate) prefix: String,
    pub(crate) is_embedded: bool,
    _embedded: Option<(EmbeddedServer, TempDir)>,
}

/// Starts embedded queues with the messages of this folder, and returns their URL.
pub(crate) async fn embedded(folder: &std::path::Path, on_disk: bool) -> (EmbeddedServer, String) {
    let listener = Listener::bind(Endpoint::loopback("embedded queues")).await;
    let listener = listener.unwrap();
    let address = listener.address();
    let queues = EmbeddedQueues { address, on_disk };
    let registry = ComponentRegistry::default();
    let app = Application::default();
    let server = EmbeddedServer::start(&app, &queues, listener, folder, &registry).unwrap();
    (server, queues.url())
}

impl Server {
    pub(crate) async fn embedded() -> Self {
        let folder = TempDir::new().unwrap();
        let (server, url) = embedded(folder.path(), true).await;
        Self {
            client: testkit::sqs::client(&url),
            prefix: random(),
            is_embedded: true,
            _embedded: Some((server, folder)),
        }
    }

    pub(crate) fn elasticmq() -> Self {
        Self {
            client: testkit::sqs::client(&endpoint()),
            prefix: random(),
            is_embedded: false,
            _embedded: None,
        }
    }

    pub(crate) fn name(&self, queue: &str) -> String {
        format!("{}-{queue}", self.prefix)
    }

    /// Creates a queue and returns its URL.
    pub(crate) async fn queue(
        &self,
        queue: &str,
        attributes: &[(QueueAttributeName, &str)],
    ) -> String {
        let mut create = self.client.create_queue().queue_name(self.name(queue));
        for (name, value) in attributes {
            create = create.attributes(name.clone(), *value);
        }
        create.send().await.unwrap().queue_url.unwrap()
    }

    pub(crate) async fn send(&self, url: &str, body: &str) -> String {
        let send = self.client.send_message().queue_url(url).message_body(body);
        send.send().await.unwrap().message_id.unwrap()
    }

    pub(crate) async fn send_to_group(&self, url: &str, group: &str, body: &str) -> String {
        let send = self.client.send_message().queue_url(url).message_body(body);
        let send = send.message_group_id(group).message_deduplication_id(body);
        send.send().await.unwrap().message_id.unwrap()
    }

    /// Receives what is visible now.
    pub(crate) async fn receive(&self, url: &str) -> Vec<Message> {
        messages(self.receiving(url).await)
    }

    async fn receiving(&self, url: &str) -> ReceiveMessageOutput {
        let receive = self.client.receive_message().queue_url(url);
        let receive = receive
            .max_number_of_messages(10)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        receive.send().await.unwrap()
    }

    /// Waits for a message.
    pub(crate) async fn next(&self, url: &str) -> Message {
        let receive = self.client.receive_message().queue_url(url);
        let receive = receive
            .wait_time_seconds(WAIT)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All);
        messages(receive.send().await.unwrap()).remove(0)
    }

    pub(crate) async fn bodies(&self, url: &str) -> Vec<String> {
        let received = self.receive(url).await;
        received.into_iter().map(|one| one.body.unwrap()).collect()
    }

    pub(crate) async fn delete(&self, url: &str, message: &Message) {
        let delete = self.client.delete_message().queue_url(url);
        let delete = delete.receipt_handle(message.receipt_handle().unwrap());
        delete.send().await.unwrap();
    }

    /// Hides a message for these seconds from now on.
    pub(crate) async fn hide(&self, url: &str, message: &Message, seconds: i32) {
        let change = self.client.change_message_visibility().queue_url(url);
        let change = change.receipt_handle(message.receipt_handle().unwrap());
        change.visibility_timeout(seconds).send().await.unwrap();
    }

    /// A numeric attribute of a queue.
    pub(crate) async fn count(&self, url: &str, name: QueueAttributeName) -> usize {
        let get = self.client.get_queue_attributes().queue_url(url);
        let found = get.attribute_names(QueueAttributeName::All).send().await;
        found.unwrap().attributes.unwrap()[&name].parse().unwrap()
    }
}

fn messages(received: ReceiveMessageOutput) -> Vec<Message> {
    received.messages.unwrap_or_default()
}

/// The code of a refused call.
pub(crate) fn code<T: std::fmt::Debug, E>(answer: Result<T, SdkError<E>>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    let error = answer.expect_err("the call is refused");
    error.code().unwrap_or("no code").to_owned()
}

pub(crate) fn system(message: &Message, name: &MessageSystemAttributeName) -> String {
    let found = message.attributes().and_then(|all| all.get(name));
    found.cloned().unwrap_or_default()
}
