//! A stream and a queue, and bridges between them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{Message, QueueAttributeName};
use redis::FromRedisValue;
use redis_link::Link;
use redis_streams::{Bounds, GroupReader, GroupState, Published, Publisher};
use shared::access::Access;
use shared::config::Reader;
use shared::message::StreamEntry;
use shared::naming::Names;
use shared::sqs::Queue;
use stream_bridge::{Bridge, Report, Settings, Stop};
use tokio::sync::watch;

pub(crate) const STREAM: &str = "program-changed";
/// The deadline of every wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

pub(crate) fn redis_url() -> String {
    variable("CACHE_URL", "redis://127.0.0.1:16380")
}

pub(crate) fn endpoint() -> String {
    variable("SQS_ENDPOINT", "http://127.0.0.1:19324")
}

/// A stream and a queue of one test.
pub(crate) struct TestEnvironment {
    pub(crate) names: Names,
    pub(crate) queue_url: String,
    pub(crate) client: Client,
    link: Link,
}

/// Runs a test with a new stream and queue, and removes both however it ends.
pub(crate) async fn with<F: Future<Output = ()> + Send + 'static>(
    fifo: bool,
    test: impl FnOnce(Arc<TestEnvironment>) -> F + Send + 'static,
) {
    let environment = Arc::new(TestEnvironment::open(fifo).await);
    let end = tokio::spawn(test(environment.clone())).await;
    environment.clear().await;
    if let Err(failure) = end {
        std::panic::resume_unwind(failure.into_panic());
    }
}

impl TestEnvironment {
    async fn open(fifo: bool) -> Self {
        let names =
            Names::new(&format!("t{:012x}", rand::random::<u64>() >> 16)).expect("a valid prefix");
        let client = client(&endpoint());
        let name = names.queue(if fifo { "changes.fifo" } else { "changes" });
        let mut create = client.create_queue().queue_name(name);
        if fifo {
            create = create.attributes(QueueAttributeName::FifoQueue, "true");
        }
        let created = create.send().await;
        let created = created.unwrap_or_else(|e| {
            panic!(
                "no SQS at {} ({e:?}): run `scripts/servers start sqs`",
                endpoint()
            )
        });
        let queue_url = created.queue_url().expect("a URL").to_owned();
        let link = Link::open(&redis_url(), Duration::from_secs(5)).expect("a usable address");
        Self {
            names,
            queue_url,
            client,
            link,
        }
    }

    /// Environment variables of a bridge, with short times. The message group of a FIFO queue is
    /// the field `group`.
    pub(crate) fn variables(&self, more: &[(&str, &str)]) -> HashMap<String, String> {
        let mut vars: HashMap<String, String> = HashMap::from([
            ("ENV_PREFIX".to_owned(), self.names.prefix().to_owned()),
            ("REDIS_CACHE_URL".to_owned(), redis_url()),
            ("QUEUE_URL".to_owned(), self.queue_url.clone()),
            ("STREAM".to_owned(), STREAM.to_owned()),
            ("TAKE_OVER_IDLE_MS".to_owned(), "200".to_owned()),
            ("SQS_TIMEOUT_MS".to_owned(), "5000".to_owned()),
            ("AWS_REGION".to_owned(), "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID".to_owned(), "local".to_owned()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), "local".to_owned()),
        ]);
        if self.queue_url.strip_suffix(".fifo").is_some() {
            vars.insert("FIFO_GROUP_FIELD".to_owned(), "group".to_owned());
        }
        vars.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        vars
    }

    /// A bridge with additional settings.
    pub(crate) fn bridge(&self, more: &[(&str, &str)]) -> Bridge {
        self.bridge_to(&endpoint(), more)
    }

    /// A bridge with another endpoint of SQS.
    pub(crate) fn bridge_to(&self, endpoint: &str, more: &[(&str, &str)]) -> Bridge {
        let settings = Settings::read(&Reader::new(self.variables(more)))
            .expect("settings of a test are valid");
        Bridge::over(
            settings,
            &Access::default(),
            Queue::new(client(endpoint), &self.queue_url),
        )
        .expect("opens")
    }

    /// Runs a bridge until the stream is empty for its group.
    pub(crate) async fn run(&self, bridge: &Bridge) -> Report {
        self.run_while(bridge, self.all_acknowledged()).await
    }

    /// Runs a bridge while another future runs.
    pub(crate) async fn run_while(
        &self,
        bridge: &Bridge,
        meanwhile: impl Future<Output = ()>,
    ) -> Report {
        let (tell, told) = watch::channel(false);
        let stop = Stop::when(told);
        let meanwhile = Box::pin(meanwhile);
        let (report, ()) = tokio::join!(Box::pin(bridge.run(&stop)), async {
            meanwhile.await;
            tell.send_replace(true);
        });
        report
    }

    pub(crate) async fn all_acknowledged(&self) {
        self.until(|state| state.pending == 0 && state.lag == Some(0))
            .await;
    }

    /// Waits for a state of the group.
    pub(crate) async fn until(&self, holds: impl Fn(GroupState) -> bool) {
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            let state = self.state().await;
            if holds(state) {
                return;
            }
            assert!(std::time::Instant::now() < deadline, "it is {state:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn state(&self) -> GroupState {
        let reading = Settings::read(&Reader::new(self.variables(&[])))
            .expect("valid")
            .reading;
        let reader = GroupReader::open(
            self.link.clone(),
            &self.names.stream(STREAM),
            &self.names.group("stream-bridge"),
            "observer",
            reading,
        );
        reader.state().await.expect("Redis runs")
    }

    pub(crate) fn key(&self) -> String {
        self.names.stream(STREAM)
    }

    fn publisher(&self) -> Publisher {
        let bounds = Bounds::new(100_000, 1_000_000).expect("valid");
        Publisher::new(self.link.clone(), &self.names.stream(STREAM), bounds)
    }

    pub(crate) async fn publish(&self, fields: &[(&str, &str)]) -> String {
        match self.publisher().publish(fields).await {
            Ok(Published::At(id)) => id.to_string(),
            other => panic!("not published: {other:?}"),
        }
    }

    /// Publishes entries with field `n`.
    pub(crate) async fn publish_numbers(&self, numbers: std::ops::Range<u32>) {
        for n in numbers {
            self.publish(&[("n", &n.to_string())]).await;
        }
    }

    /// Runs a Redis command.
    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn redis<T: FromRedisValue>(&self, words: &[&[u8]]) -> T {
        let mut command = redis::Cmd::new();
        command.arg(words);
        let url = redis_url();
        testkit::redis::run(&url, &command)
            .unwrap_or_else(|e| panic!("at {url}: {e}; run `scripts/servers start cache`"))
    }

    /// Dead letters: the reason, and the fields of the entry.
    pub(crate) async fn dead_letters(&self) -> Vec<(String, Vec<Vec<u8>>)> {
        let key = self.names.dead_stream(STREAM);
        let entries: Vec<(String, Vec<Vec<u8>>)> =
            self.redis(&[b"XRANGE", key.as_bytes(), b"-", b"+"]).await;
        let split = |(_, words): (String, Vec<Vec<u8>>)| {
            (
                String::from_utf8_lossy(&words[7]).into_owned(),
                words[8..].to_vec(),
            )
        };
        entries.into_iter().map(split).collect()
    }

    /// How many consumers the group has.
    pub(crate) async fn consumers(&self) -> usize {
        let infos: Vec<redis::Value> = self
            .redis(&[
                b"XINFO",
                b"CONSUMERS",
                self.key().as_bytes(),
                self.names.group("stream-bridge").as_bytes(),
            ])
            .await;
        infos.len()
    }

    /// Receives and deletes one batch; empty after `seconds`.
    pub(crate) async fn receive(&self, seconds: i32) -> Vec<Message> {
        let receive = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10);
        let received = receive
            .wait_time_seconds(seconds)
            .message_attribute_names("All")
            .send()
            .await
            .expect("SQS runs");
        let messages = received.messages.unwrap_or_default();
        for message in &messages {
            let handle = message.receipt_handle().expect("a handle");
            self.client
                .delete_message()
                .queue_url(&self.queue_url)
                .receipt_handle(handle)
                .send()
                .await
                .expect("deleted");
        }
        messages
    }

    /// Receives all messages.
    pub(crate) async fn drain(&self) -> Vec<StreamEntry> {
        let mut all = Vec::new();
        loop {
            let messages = self.receive(0).await;
            if messages.is_empty() {
                return all;
            }
            all.extend(messages.iter().map(body));
        }
    }

    /// Receives until every number has arrived. Returns how often each arrived.
    pub(crate) async fn await_numbers(&self, numbers: std::ops::Range<u32>) -> BTreeMap<u32, u32> {
        let mut seen = BTreeMap::new();
        let deadline = std::time::Instant::now() + PATIENCE;
        while !numbers.clone().all(|n| seen.contains_key(&n)) {
            assert!(
                std::time::Instant::now() < deadline,
                "only these came: {seen:?}"
            );
            for message in self.receive(1).await {
                *seen.entry(number(&body(&message))).or_default() += 1;
            }
        }
        seen
    }

    async fn clear(&self) {
        let _: u64 = self
            .redis(&[
                b"DEL",
                self.key().as_bytes(),
                self.names.dead_stream(STREAM).as_bytes(),
            ])
            .await;
        self.client
            .delete_queue()
            .queue_url(&self.queue_url)
            .send()
            .await
            .expect("deleted");
    }
}

pub(crate) fn body(message: &Message) -> StreamEntry {
    serde_json::from_str(message.body().expect("a body")).expect("an entry")
}

pub(crate) fn number(entry: &StreamEntry) -> u32 {
    entry
        .field("n")
        .and_then(|n| n.parse().ok())
        .expect("a number")
}

/// The field `n` of entries, in order.
pub(crate) fn numbers(entries: &[StreamEntry]) -> Vec<u32> {
    entries.iter().map(number).collect()
}

/// A client without retries: the test shows those of the bridge.
fn client(endpoint: &str) -> Client {
    let timeout = TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(20))
        .build();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .timeout_config(timeout)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}
