//! A misbehaving function does not affect another one.

use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::{KafkaFixture, values};
use crate::support::{project, usher_up};

/// A host with two functions, each with its own topic: `Good` records its records, `Bad` misbehaves
/// in every invocation.
struct Host {
    _process: KillOnDrop,
    control: String,
    _folder: TempDir,
}

impl Host {
    fn start(good: &KafkaFixture, bad: &KafkaFixture, always: &str) -> Self {
        let function = |id: &str, fixture: &KafkaFixture, variables: &str| {
            format!(
                "  {id}:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 2
      ReservedConcurrentExecutions: 2
      Environment: {{Variables: {{{variables}}}}}
      Events:
        Records:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            BatchSize: 10
",
                fixture.mapping.topics[0], fixture.mapping.bootstrap_servers, fixture.mapping.group,
            )
        };
        let seen = good.folder.path().join("seen");
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n{}{}",
            function("Good", good, &format!("RECORD_TO: '{}'", seen.display())),
            function("Bad", bad, &format!("ALWAYS: {always}")),
        );
        let folder = project(&template);
        let control = free_address().to_string();
        let process = usher_up(folder.path(), &["--control", &control]);
        Self {
            _process: process,
            control,
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> Option<Value> {
        reqwest::get(format!("http://{}{path}", self.control))
            .await
            .ok()?
            .json()
            .await
            .ok()
    }
}

async fn completes_beside_one_that_always(does: &str, shows: &str) {
    let good = KafkaFixture::new(2).await;
    let bad = KafkaFixture::new(2).await;
    for partition in 0..2 {
        bad.produce(partition, &values(0..50)).await;
    }
    let host = Host::start(&good, &bad, does);
    let misbehaved = async || {
        let seen = host.get("/_usher/activity").await?;
        let failures = seen["failures"]
            .as_array()?
            .iter()
            .filter(|one| one["function"] == "Bad");
        (failures
            .filter(|one| one["error"].to_string().contains(shows))
            .count()
            >= 2)
            .then_some(())
    };
    eventually("the other function misbehaves repeatedly", misbehaved).await;
    for partition in 0..2 {
        good.produce(partition, &values(0..300)).await;
    }
    let records = good.eventually_seen(600).await;
    assert_eq!(records.len(), 600, "each once");
    for partition in 0..2 {
        let own = records.iter().filter(|(at, _, _)| *at == partition);
        let own: Vec<&str> = own.map(|(_, _, value)| value.as_str()).collect();
        assert_eq!(own, values(0..300), "in order");
    }
    let status = host.get("/_usher/status").await.unwrap();
    let of = |function: &str, what: &str| {
        let mappings = status["mappings"].as_array().unwrap();
        mappings
            .iter()
            .find(|one| one["function"] == function)
            .unwrap()[what]
            .as_u64()
            .unwrap()
    };
    assert_eq!(
        (of("Bad", "records_done"), of("Good", "failed_batches")),
        (0, 0),
        "no record of the other function was discarded"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_function_does_not_affect_another() {
    completes_beside_one_that_always("hang", "timed out").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashing_function_does_not_affect_another() {
    completes_beside_one_that_always("exit", "exit status 7").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flooding_function_does_not_affect_another() {
    completes_beside_one_that_always("flood", "timed out").await;
}
