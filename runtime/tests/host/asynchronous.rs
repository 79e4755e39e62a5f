//! Asynchronous invocations: retries, destinations, drains and refusals.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::Message;
use sam_template::model::{EventInvokeConfig, EventTarget, Function};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use tokio::sync::watch;
use usher::instances::Pool;
use usher::invocation::Rejected;
use usher::sources::asynchronous::{self, AsyncEvent, AsyncQueue, AsyncSettings, NotAccepted};
use usher::sources::sqs::{self, Sqs};

use crate::asynchronous_restarts::message;
use crate::kafka_fixture::random;
use crate::sqs_fixture::{arn, client, endpoint, queue};
use crate::support::{application, echo_function, executables, function, options, state};
use crate::template_fixture::good;

/// Events of `Echo` and `Other` with these destinations and their queues.
struct EventFixture {
    queue: AsyncQueue,
    pool: Arc<Pool>,
    stop: watch::Sender<bool>,
    name: String,
    seen: TempDir,
}

impl EventFixture {
    async fn new(
        config: impl FnOnce(&dyn Fn(&str) -> String) -> EventInvokeConfig,
        concurrency: Option<u32>,
    ) -> Self {
        let name = format!("host-{}", random());
        let queues: Vec<_> = ["failed", "answered", "dead"]
            .map(|kind| queue(&format!("{name}-{kind}"), None))
            .into();
        sqs::ensure(&Sqs::at(&endpoint()), &queues)
            .await
            .expect("SQS answers: start it with `scripts/servers start sqs`");
        let seen = tempfile::tempdir().unwrap();
        let record = seen.path().join("seen");
        let mut app = application(Function {
            concurrency,
            ..function(&[("RECORD_TO", record.to_str().unwrap())])
        });
        let other = Function {
            id: "Other".into(),
            name: "stack-Other".into(),
            concurrency: None,
            ..app.functions["Echo"].clone()
        };
        app.functions.insert(other.id.clone(), other);
        app.sqs_endpoint = Some(endpoint());
        app.event_invoke.insert(
            "Echo".into(),
            config(&|kind| arn(&format!("{name}-{kind}"))),
        );
        let mut executables = executables();
        executables.insert("Other".into(), echo_function());
        let pool = Pool::new(&app, &executables, &options().0);
        let (queue, driver) =
            asynchronous::open(&state(), &AsyncSettings::of(&app, 16, false)).unwrap();
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(driver.run(pool.clone(), stopping, Duration::from_secs(20)));
        Self {
            queue,
            pool,
            stop,
            name,
            seen,
        }
    }

    async fn accept(&self, event: &Value) -> String {
        let event = AsyncEvent {
            function: "Echo".into(),
            payload: event.to_string().into(),
            trace_id: None,
        };
        self.queue.accept(event).await.unwrap()
    }

    /// The next message of one of the queues.
    async fn next(&self, kind: &str) -> Message {
        let url = format!("{}/000000000000/{}-{kind}", endpoint(), self.name);
        let client = client(&endpoint());
        eventually("a message comes", async || {
            let received = client
                .receive_message()
                .queue_url(&url)
                .wait_time_seconds(1)
                .message_attribute_names("All");
            received
                .send()
                .await
                .unwrap()
                .messages
                .unwrap_or_default()
                .pop()
        })
        .await
    }
}

fn body(message: &Message) -> Value {
    serde_json::from_str(message.body().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_event_reaches_destination_and_dead_letter_queue() {
    let config = |arn: &dyn Fn(&str) -> String| EventInvokeConfig {
        on_failure: Some(EventTarget::Queue(arn("failed"))),
        dead_letters: Some(arn("dead")),
        ..EventInvokeConfig::default()
    };
    let fixture = EventFixture::new(config, None).await;
    let event = json!({ "do": "fail", "order": 7 });
    let request_id = fixture.accept(&event).await;
    let record = body(&fixture.next("failed").await);
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:stack-Echo:$LATEST";
    let context = json!({
        "requestId": request_id, "functionArn": arn, "condition": "RetriesExhausted",
        "approximateInvokeCount": 3,
    });
    assert_eq!(
        (
            &record["version"],
            &record["requestContext"],
            &record["requestPayload"]
        ),
        (&json!("1.0"), &context, &event)
    );
    assert_eq!(
        record["responseContext"],
        json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" })
    );
    assert_eq!(
        record["responsePayload"]["errorMessage"],
        "failure requested"
    );
    let dead = fixture.next("dead").await;
    assert_eq!(body(&dead), event);
    let attributes = dead.message_attributes().unwrap();
    let text = |name: &str| attributes[name].string_value().unwrap();
    assert_eq!(
        (text("RequestID"), text("ErrorCode"), text("ErrorMessage")),
        (request_id.as_str(), "200", "failure requested")
    );
    assert_eq!(fixture.pool.stats().functions[0].invocations, 3);
    eventually("nothing is left", async || {
        fixture
            .queue
            .stats()
            .iter()
            .all(|of| of.unfinished() == 0)
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_reaches_the_destination_function() {
    let config = |_: &dyn Fn(&str) -> String| EventInvokeConfig {
        on_success: Some(EventTarget::Function("Other".into())),
        ..EventInvokeConfig::default()
    };
    let fixture = EventFixture::new(config, None).await;
    fixture.accept(&message("first")).await;
    eventually("both functions have run, and nothing is left", async || {
        let stats = fixture.pool.stats();
        let ran = stats
            .functions
            .iter()
            .all(|function| function.invocations > 0);
        (ran && fixture
            .queue
            .stats()
            .iter()
            .all(|of| of.function != "Echo" || of.unfinished() == 0))
        .then_some(())
    })
    .await;
    // the destination receives a record, which this function ignores
    assert_eq!(
        std::fs::read_to_string(fixture.seen.path().join("seen")).unwrap(),
        "m 1 1 done first\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_disabled_function_are_discarded() {
    let config = |arn: &dyn Fn(&str) -> String| EventInvokeConfig {
        on_failure: Some(EventTarget::Queue(arn("failed"))),
        ..EventInvokeConfig::default()
    };
    let fixture = EventFixture::new(config, Some(0)).await;
    fixture.accept(&json!({ "do": "echo" })).await;
    let record = body(&fixture.next("failed").await);
    assert_eq!(
        (
            &record["requestContext"]["approximateInvokeCount"],
            &record["responseContext"]
        ),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_event_runs_after_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("seen");
    let app = application(function(&[("RECORD_TO", record.to_str().unwrap())]));
    let state = state();
    let settings = AsyncSettings::of(&app, 16, false);
    let marker = folder.path().join("marker");
    {
        let options = usher::instances::PoolOptions {
            drain: Duration::from_millis(100),
            ..options().0
        };
        let pool = Pool::new(&app, &executables(), &options);
        let (queue, driver) = asynchronous::open(&state, &settings).unwrap();
        let (stop, stopping) = watch::channel(false);
        let running = tokio::spawn(driver.run(pool.clone(), stopping, Duration::from_secs(20)));
        let payload = message(&format!("hang-once:{}", marker.display()))
            .to_string()
            .into();
        queue
            .accept(AsyncEvent {
                function: "Echo".into(),
                payload,
                trace_id: None,
            })
            .await
            .unwrap();
        eventually("it is being worked on", async || {
            marker.exists().then_some(())
        })
        .await;
        stop.send(true).unwrap();
        pool.shutdown().await;
        running.await.unwrap().unwrap();
        let stats = &pool.stats().functions[0];
        assert_eq!(
            (stats.invocations, stats.errors),
            (1, 0),
            "the process was ended, which is no function error"
        );
    }
    let pool = Pool::new(&app, &executables(), &options().0);
    // the first host closes the file when its last handle is dropped
    let (_, driver) = eventually("the file is free", async || {
        asynchronous::open(&state, &settings).ok()
    })
    .await;
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(driver.run(pool, stopping, Duration::from_secs(20)));
    eventually("it has run", async || record.exists().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_event_has_a_reason() {
    let fixture = EventFixture::new(|_| EventInvokeConfig::default(), None).await;
    let accept = async |function: &str, payload: Vec<u8>| {
        fixture
            .queue
            .accept(AsyncEvent {
                function: function.into(),
                payload: payload.into(),
                trace_id: None,
            })
            .await
    };
    assert_eq!(
        accept("Nobody", b"{}".into()).await,
        Err(NotAccepted::NotFound("Nobody".into()))
    );
    let large = asynchronous::MAX_EVENT + 1;
    assert_eq!(
        accept("Echo", vec![b' '; large]).await,
        Err(NotAccepted::TooLarge(large))
    );
    assert!(Rejected::TooLarge(1).to_string().contains("6 MB"));
    fixture.stop.send(true).unwrap();
}

#[test]
fn the_template_sets_retries_and_destinations() {
    let function = "Type: AWS::Serverless::Function\n    Properties:\n      \
                    Runtime: provided.al2023\n      CodeUri: .\n";
    let template = format!(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Dead: {{Type: AWS::SQS::Queue}}\n  \
         A:\n    {function}      \
           DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt Dead.Arn}}\n      \
           EventInvokeConfig:\n        MaximumRetryAttempts: 1\n        MaximumEventAgeInSeconds: \
           60\n        \
             DestinationConfig: {{OnSuccess: {{Type: Lambda, Destination: !GetAtt B.Arn}}, \
             OnFailure: {{Type: SQS}}}}\n  \
         B:\n    {function}  \
         Long:\n    Type: AWS::Lambda::EventInvokeConfig\n    Properties:\n      \
           FunctionName: !Ref B\n      Qualifier: $LATEST\n      \
           MaximumRetryAttempts: 0\n      DestinationConfig: {{OnFailure: {{Destination: !GetAtt \
           Dead.Arn}}}}\n"
    );
    let app = good(
        &template,
        "stack = 's'\n[endpoints]\nsqs = 'http://127.0.0.1:1'\n",
    );
    let made = arn("s-AEventInvokeConfigOnFailureQueue");
    let a = EventInvokeConfig {
        max_retries: 1,
        max_age: Duration::from_mins(1),
        on_success: Some(EventTarget::Function("B".into())),
        on_failure: Some(EventTarget::Queue(made.clone())),
        dead_letters: Some(arn("s-Dead")),
    };
    let b = EventInvokeConfig {
        max_retries: 0,
        on_failure: Some(EventTarget::Queue(arn("s-Dead"))),
        ..EventInvokeConfig::default()
    };
    assert_eq!(
        app.event_invoke,
        [("A".to_owned(), a), ("B".to_owned(), b)].into()
    );
    assert!(
        app.queues.iter().any(|queue| queue.arn == made),
        "SAM creates the queue that is not named"
    );
    assert!(app.warnings.is_empty(), "{:?}", app.warnings);
}
