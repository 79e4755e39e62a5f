//! Events that nobody waits for: on disk before they are accepted, tried again, told of.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::Message;
use sam_template::model::{EventInvokeConfig, EventTarget, Function};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::watch;
use usher::asynchronous::{self, Event, NotAccepted, Queue, Settings};
use usher::instances::Pool;
use usher::invocation::Rejected;
use usher::sqs::{self, Sqs};

use crate::kafka_fixture::random;
use crate::sqs_fixture::{arn, client, endpoint, queue};
use crate::support::{
    add_function, application, echo_function, executables, function, options, state,
};
use crate::template_fixture::good;

/// One message of a batch, which `echo_function` records when it is done with it.
fn message(body: &str) -> Value {
    json!({ "Records": [{ "messageId": "m", "body": body, "attributes": { "ApproximateReceiveCount": "1" } }] })
}

/// `usher up` with one function, one instance of which runs at a time.
struct Host {
    folder: TempDir,
    invoke: String,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
             Runtime: provided.al2023\n      CodeUri: built\n      Timeout: 60\n      ReservedConcurrentExecutions: 1\n      \
             Environment: {{Variables: {{RECORD_TO: '{}'}}}}\n",
            folder.path().join("seen").display()
        );
        std::fs::write(folder.path().join("template.yaml"), template).unwrap();
        add_function(folder.path());
        Self {
            folder,
            invoke: free_address().to_string(),
        }
    }

    fn start(&self) -> Child {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["up", "--listen", &self.invoke])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    async fn send(&self, event: &Value) -> Option<u16> {
        let url = format!(
            "http://{}/2015-03-31/functions/Echo/invocations",
            self.invoke
        );
        let request = reqwest::Client::new()
            .post(url)
            .header("X-Amz-Invocation-Type", "Event")
            .body(event.to_string());
        Some(request.send().await.ok()?.status().as_u16())
    }

    fn seen(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("seen")).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_that_was_accepted_runs_although_the_host_was_killed() {
    let host = Host::new();
    let mut process = host.start();
    let marker = host.folder.path().join("marker");
    let hangs = message(&format!("hang-once:{}", marker.display()));
    eventually("the first event is accepted", async || {
        host.send(&hangs).await.filter(|status| *status == 202)
    })
    .await;
    eventually("it is being worked on", async || {
        marker.exists().then_some(())
    })
    .await;
    for n in 0..20 {
        assert_eq!(host.send(&message(&format!("event-{n}"))).await, Some(202));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(host.seen(), "", "the function had one instance, which hung");

    let mut process = host.start();
    eventually("all have run", async || {
        let seen = host.seen();
        ((0..20).all(|n| seen.contains(&format!("done event-{n}\n"))) && seen.contains("hang-once"))
            .then_some(())
    })
    .await;
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(
        host.seen().lines().count(),
        21,
        "none ran twice: they ended before the second death"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_host_on_the_same_state_is_refused_with_the_remedy() {
    let host = Host::new();
    let mut first = host.start();
    eventually("the first host answers", async || {
        host.send(&message("x")).await
    })
    .await;
    let mut second = Command::new(env!("CARGO_BIN_EXE_usher"));
    let refused = second
        .args(["up", "--listen", "127.0.0.1:0"])
        .current_dir(host.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("another usher runs this project") && told.contains("--state"),
        "{told}"
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

/// Events of `Echo` and `Other`, with these destinations, and queues for them.
struct EventFixture {
    queue: Queue,
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
        let (queue, driver) = asynchronous::open(&state(), &Settings::of(&app, 16, false)).unwrap();
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
        let event = Event {
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
async fn an_event_that_fails_three_times_is_told_of_in_lambdas_form_and_lies_in_the_dead_letter_queue()
 {
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
    let context = json!({ "requestId": request_id, "functionArn": arn, "condition": "RetriesExhausted", "approximateInvokeCount": 3 });
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
async fn an_answer_goes_to_the_function_that_is_to_hear_of_it() {
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
    // what it heard is a record, of which this function makes nothing
    assert_eq!(
        std::fs::read_to_string(fixture.seen.path().join("seen")).unwrap(),
        "m 1 1 done first\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_function_that_may_not_run_are_given_up_at_once() {
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
async fn an_event_that_a_drain_cuts_off_is_not_counted_and_runs_after_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("seen");
    let app = application(function(&[("RECORD_TO", record.to_str().unwrap())]));
    let state = state();
    let settings = Settings::of(&app, 16, false);
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
            .accept(Event {
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
    // the file is closed once the last of the first host is gone
    let (_, driver) = eventually("the file is free", async || {
        asynchronous::open(&state, &settings).ok()
    })
    .await;
    let (_stop, stopping) = watch::channel(false);
    tokio::spawn(driver.run(pool, stopping, Duration::from_secs(20)));
    eventually("it has run", async || record.exists().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_over_is_refused_with_a_reason() {
    let fixture = EventFixture::new(|_| EventInvokeConfig::default(), None).await;
    let accept = async |function: &str, payload: Vec<u8>| {
        fixture
            .queue
            .accept(Event {
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
fn the_template_says_how_often_and_who_is_told() {
    let function = "Type: AWS::Serverless::Function\n    Properties:\n      Runtime: provided.al2023\n      CodeUri: .\n";
    let template = format!(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Dead: {{Type: AWS::SQS::Queue}}\n  A:\n    {function}      \
           DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt Dead.Arn}}\n      \
           EventInvokeConfig:\n        MaximumRetryAttempts: 1\n        MaximumEventAgeInSeconds: 60\n        \
             DestinationConfig: {{OnSuccess: {{Type: Lambda, Destination: !GetAtt B.Arn}}, OnFailure: {{Type: SQS}}}}\n  \
         B:\n    {function}  \
         Long:\n    Type: AWS::Lambda::EventInvokeConfig\n    Properties:\n      FunctionName: !Ref B\n      Qualifier: $LATEST\n      \
           MaximumRetryAttempts: 0\n      DestinationConfig: {{OnFailure: {{Destination: !GetAtt Dead.Arn}}}}\n"
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
        "SAM makes the queue that is not named"
    );
    assert!(app.warnings.is_empty(), "{:?}", app.warnings);
}
