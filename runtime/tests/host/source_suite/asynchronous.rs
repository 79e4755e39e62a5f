//! Asynchronous invocations, by the Invoke API.

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::sqs::{count, create, dead, server};
use super::{Declaration, Place, Promise, Setup, SourceUnderTest};
use crate::kafka_fixture::random;
use crate::sources_fixture::Host;
use crate::sqs_fixture::{arn, endpoint};

/// Why outages do not apply to events on the disk of the host.
pub(super) const ON_DISK: &str = "events stand on the host's own disk, without a server; `usher \
                                  up` does not start if it cannot open them";

pub(crate) struct Events {
    setup: Setup,
    name: String,
    planned: AtomicUsize,
}

/// The properties that send the dead letters of a function's events to a queue.
pub(super) fn limit(setup: Setup, name: &str) -> String {
    setup.attempts.map_or_else(String::new, |attempts| {
        format!(
            "      EventInvokeConfig:
        MaximumRetryAttempts: {}
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: '{}'}}}}
",
            attempts - 1,
            arn(&dead(name))
        )
    })
}

/// Events of a function that have not ended.
pub(super) fn unfinished(entry: &Value) -> Option<u64> {
    ["waiting", "running", "delivering"]
        .map(|count| entry[count].as_u64())
        .into_iter()
        .sum()
}

pub(super) fn place(setup: Setup) -> Place {
    let id = setup.function.to_owned();
    let counts = ["waiting", "running", "delivering"];
    Place {
        list: "events",
        field: "function",
        kind: "events",
        lag: counts
            .map(|count| format!("usher_events_{count}{{function=\"{id}\""))
            .into(),
        up: None,
        id,
    }
}

impl SourceUnderTest for Events {
    const KIND: &'static str = "events";
    const NAME: &'static str = "asynchronous invocations";
    const GIVES_UP: bool = true;

    fn exempt(promise: Promise) -> Option<&'static str> {
        match promise {
            Promise::Order => Some("each event is an invocation of its own, without order"),
            Promise::Pause => Some("Lambda has no switch for asynchronous invocations"),
            Promise::Absent | Promise::Deleted | Promise::Unreadable | Promise::Away => {
                Some(ON_DISK)
            }
            _ => None,
        }
    }

    async fn new(setup: Setup) -> Self {
        let name = format!("s{}", random());
        if setup.attempts.is_some() {
            create(&dead(&name), [].into()).await;
        }
        Self {
            setup,
            name,
            planned: AtomicUsize::new(0),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn declare(&self) -> Declaration {
        Declaration {
            properties: limit(self.setup, &self.name),
            settings: vec![server(&endpoint())],
        }
    }

    fn place(&self) -> Place {
        place(self.setup)
    }

    fn plan(&self, count: usize) -> Vec<String> {
        let first = self.planned.fetch_add(count, Ordering::Relaxed);
        let item = |number: usize| format!("{}-{number}.1", self.name);
        (first..first + count).map(item).collect()
    }

    async fn send(&self, host: &Host, items: &[String]) {
        let client = reqwest::Client::new();
        for item in items {
            let request = client
                .post(host.function(self.setup.function))
                .header("X-Amz-Invocation-Type", "Event")
                .body(json!({ "item": item }).to_string());
            assert_eq!(request.send().await.unwrap().status(), StatusCode::ACCEPTED);
        }
    }

    fn lag(entry: &Value) -> Option<u64> {
        unfinished(entry)
    }

    /// The file of the events is the host's own.
    async fn is_empty(&self) -> bool {
        true
    }

    async fn dead_letters(&self) -> u64 {
        count(&dead(&self.name)).await
    }
}
