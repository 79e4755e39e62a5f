//! Lambda Managed Instances: several invocations at one time in one process.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use sam_template::model::{Function, ManagedInstances};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::process::is_running;
use usher::faults::FaultPlan;
use usher::instances::{InstanceState, Pool, PoolOptions};
use usher::invocation::{ConcurrencyLimit, Invoke, Rejected, Response};

use crate::support::{
    answer, application, error, executables, function, invoke, options, pool, project, request,
};

/// The echo function on managed instances: processes at most, and invocations of each.
fn managed(instances: u32, each: u32, environment: &[(&str, &str)]) -> Function {
    Function {
        managed: Some(ManagedInstances {
            max_concurrency: each,
            max_instances: Some(instances),
        }),
        ..function(environment)
    }
}

/// A folder in which invocations meet.
struct Meeting(TempDir);

impl Meeting {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("begun")).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// An event that ends once so many have begun, and [`Self::end`] was called.
    fn event(&self, id: usize, of: usize) -> Value {
        json!({
            "do": "meet", "folder": self.file("begun"), "id": id, "of": of,
            "until": self.file("end"),
        })
    }

    fn end(&self) {
        std::fs::write(self.file("end"), "").unwrap();
    }

    /// Runs so many invocations, all at the same time.
    async fn run(&self, pool: &Pool, count: usize) -> Vec<Response> {
        self.end();
        join_all((0..count).map(|id| invoke(pool, self.event(id, count)))).await
    }

    async fn until_begun(&self, count: usize) {
        eventually("the invocations have begun", async || {
            let begun = std::fs::read_dir(self.file("begun")).unwrap().count();
            (begun == count).then_some(())
        })
        .await;
    }
}

fn pids(responses: &[Response]) -> BTreeSet<u64> {
    let pids = responses
        .iter()
        .map(|response| answer(response)["pid"].as_u64());
    pids.flatten().collect()
}

#[tokio::test]
async fn one_process_takes_its_events_at_the_same_time() {
    let pool = pool(managed(2, 8, &[]));
    let responses = Meeting::new().run(&pool, 8).await;
    assert_eq!(pids(&responses).len(), 1);
    let stats = &pool.stats().functions[0];
    assert_eq!((stats.cold_starts, stats.invocations), (1, 8));
    assert_eq!((stats.limit, stats.per_instance), (2, 8));
}

#[tokio::test]
async fn a_second_process_starts_once_the_first_is_full() {
    let pool = pool(managed(2, 2, &[]));
    let responses = Meeting::new().run(&pool, 3).await;
    assert_eq!(pids(&responses).len(), 2);
    assert_eq!(pool.stats().functions[0].cold_starts, 2);
}

#[tokio::test]
async fn all_places_taken_throttle_callers_and_pollers_wait() {
    let pool = pool(managed(1, 2, &[]));
    let meeting = Meeting::new();
    let (first, second, waited, ()) = tokio::join!(
        invoke(&pool, meeting.event(1, 0)),
        invoke(&pool, meeting.event(2, 0)),
        async {
            meeting.until_begun(2).await;
            let echo = json!({"do": "echo"});
            let refused = pool.invoke(request(&echo), false).await;
            let limit = ConcurrencyLimit {
                function: "Echo".into(),
                limit: 1,
                per_instance: 2,
                reserved: false,
            };
            assert_eq!(refused.unwrap_err(), Rejected::Throttled(limit));
            invoke(&pool, echo).await
        },
        async {
            eventually("a poller waits", async || {
                (pool.stats().functions[0].queued == 1).then_some(())
            })
            .await;
            meeting.end();
        }
    );
    assert_eq!(pids(&[first, second, waited]).len(), 1);
}

#[tokio::test]
async fn a_deadline_fails_one_invocation_and_its_late_answer_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("answers");
    let environment = [
        ("ON_START", "two-at-a-time"),
        ("RECORD_TO", file.to_str().unwrap()),
    ];
    let pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..managed(1, 2, &environment)
    });
    let (late, other) = tokio::join!(
        invoke(&pool, json!({"ms": 1_700})),
        invoke(&pool, json!({"ms": 300}))
    );
    let (kind, message) = error(&late);
    assert_eq!(kind, "Sandbox.Timedout");
    assert!(
        message.ends_with("Task timed out after 1.00 seconds"),
        "{message}"
    );
    let pid = answer(&other)["pid"].clone();
    let answers = eventually("the late answer was made", async || {
        let answers = std::fs::read_to_string(&file).ok()?;
        answers.contains("1700").then_some(answers)
    })
    .await;
    assert!(
        answers.contains("300 202\n") && answers.contains("1700 410\n"),
        "{answers}"
    );
    assert_eq!(answer(&invoke(&pool, json!({"ms": 0})).await)["pid"], pid);
    assert_eq!(pool.stats().functions[0].cold_starts, 1);
}

#[tokio::test]
async fn a_deadline_ends_no_process_that_works_on_one_event() {
    let pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..managed(1, 4, &[])
    });
    let before = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"].clone();
    let (kind, _) = error(&invoke(&pool, json!({"do": "hang"})).await);
    assert_eq!(kind, "Sandbox.Timedout");
    let after = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"].clone();
    assert_eq!(before, after);
}

#[tokio::test]
async fn a_crash_fails_every_invocation_in_flight() {
    let pool = pool(managed(1, 4, &[]));
    let meeting = Meeting::new();
    let waiting = join_all((0..3).map(|id| invoke(&pool, meeting.event(id, 0))));
    let (mut failed, crashed) = tokio::join!(waiting, async {
        meeting.until_begun(3).await;
        invoke(&pool, json!({"do": "exit"})).await
    });
    failed.push(crashed);
    for response in &failed {
        let expected = format!(
            "RequestId: {} Error: Runtime exited with error: exit status 7",
            response.request_id
        );
        assert_eq!(error(response), ("Runtime.ExitError".to_owned(), expected));
    }
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    let stats = &pool.stats().functions[0];
    assert_eq!((stats.errors, stats.cold_starts), (4, 2));
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_its_invocation_alone() {
    let pool = pool(managed(1, 2, &[]));
    let meeting = Meeting::new();
    let (other, ()) = tokio::join!(invoke(&pool, meeting.event(1, 0)), async {
        meeting.until_begun(1).await;
        let large = invoke(&pool, json!({"do": "big", "bytes": 6_300_000})).await;
        assert_eq!(error(&large).0, "Function.ResponseSizeTooLarge");
        meeting.end();
    });
    let pid = answer(&other)["pid"].clone();
    assert_eq!(
        answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"],
        pid
    );
}

#[tokio::test]
async fn a_process_reads_its_concurrency_from_its_environment() {
    let pool = pool(managed(1, 64, &[]));
    let seen = answer(&invoke(&pool, json!({"do": "environment"})).await);
    assert_eq!(seen["AWS_LAMBDA_MAX_CONCURRENCY"], "64");
    assert_eq!(
        seen["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "lambda-managed-instances"
    );
}

#[tokio::test]
async fn a_sequential_runtime_takes_one_event_in_each_process() {
    let pool = pool(managed(2, 8, &[("SEQUENTIAL", "1")]));
    let responses = Meeting::new().run(&pool, 2).await;
    assert_eq!(pids(&responses).len(), 2);
}

#[tokio::test]
async fn an_extension_may_register_for_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("answers");
    let events = [
        r#"{"events":["INVOKE"]}"#,
        r#"{"events":["SHUTDOWN"]}"#,
        r#"{"events":[]}"#,
    ];
    let extensions = json!(events.map(|events| ("own", events))).to_string();
    let environment = [
        ("ON_START", "register"),
        ("EXTENSIONS", extensions.as_str()),
        ("RECORD_TO", record.to_str().unwrap()),
    ];
    let pool = pool(managed(1, 4, &environment));
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    let refused = "403 Extension.InvalidEventType\n";
    let answers = std::fs::read_to_string(&record).unwrap();
    assert_eq!(answers, format!("{refused}{refused}200 -\n"));
}

#[tokio::test]
async fn a_shutdown_completes_invocations_and_notifies_extensions() {
    let meeting = Meeting::new();
    let words = meeting.file("words");
    let pool = pool(managed(1, 4, &[("EXTENSION", "1"), ("RECORD_TO", &words)]));
    let invocations = join_all((0..3).map(|id| invoke(&pool, meeting.event(id, 0))));
    let (responses, ()) = tokio::join!(invocations, async {
        meeting.until_begun(3).await;
        let ((), ()) = tokio::join!(pool.shutdown(), async { meeting.end() });
    });
    assert_eq!(pids(&responses).len(), 1);
    assert_eq!(std::fs::read_to_string(&words).unwrap(), "terminated\n");
}

#[tokio::test]
async fn a_process_goes_on_between_invocations() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later");
    let faults = FaultPlan {
        freeze: true,
        ..FaultPlan::default()
    };
    let options = PoolOptions {
        faults,
        ..options().0
    };
    let function = managed(1, 2, &[("RECORD_TO", file.to_str().unwrap())]);
    let pool = Pool::new(&application(function), &executables(), &options);
    let event = json!({"do": "record-later", "ms": 300, "text": "later"});
    answer(&invoke(&pool, event).await);
    eventually("the process writes after its answer", async || {
        let text = std::fs::read_to_string(&file).ok()?;
        (text == "later\n").then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_line_is_attributed_to_a_request_that_it_may_not_be_of() {
    let (options, printed) = options();
    let pool = Pool::new(&application(managed(1, 2, &[])), &executables(), &options);
    let meeting = Meeting::new();
    let (response, echo) = tokio::join!(invoke(&pool, meeting.event(1, 0)), async {
        meeting.until_begun(1).await;
        let echo = invoke(&pool, json!({"do": "echo", "text": "hello"})).await;
        meeting.end();
        echo
    });
    let ids = [&response.request_id, &echo.request_id];
    let text = eventually("output and reports are written", async || {
        let text = printed.text();
        (text.matches("REPORT").count() == 2 && text.contains("hello")).then_some(text)
    })
    .await;
    assert!(text.contains("Echo - | echo \"hello\"\n"), "{text}");
    for id in ids {
        for line in ["START", "END", "REPORT"] {
            let line = format!("Echo {id} | {line} RequestId: {id}");
            assert!(text.contains(&line), "{line}: {text}");
        }
    }
    assert!(
        !text.contains("Billed") && !text.contains("Memory"),
        "{text}"
    );
}

#[tokio::test]
async fn a_process_that_a_low_load_does_not_need_is_retired() {
    let options = PoolOptions {
        idle: Duration::from_millis(400),
        ..options().0
    };
    let pool = Pool::new(&application(managed(2, 2, &[])), &executables(), &options);
    let both = pids(&Meeting::new().run(&pool, 4).await);
    assert_eq!(both.len(), 2);
    let left = eventually("one process is left, and works", async || {
        let pid = answer(&invoke(&pool, json!({"do": "echo"})).await)["pid"].as_u64()?;
        let running = both.iter().filter(|pid| is_running(**pid)).count();
        (running == 1).then_some(pid)
    })
    .await;
    assert!(both.contains(&left));
}

#[tokio::test]
async fn a_lowered_limit_ends_a_process_when_it_has_finished() {
    let pool = pool(managed(2, 2, &[]));
    let meeting = Meeting::new();
    let invocations = join_all((0..4).map(|id| invoke(&pool, meeting.event(id, 0))));
    let (responses, ()) = tokio::join!(invocations, async {
        meeting.until_begun(4).await;
        assert!(pool.set_limit("Echo", NonZeroUsize::MIN));
        let busy = |pool: &Arc<Pool>| {
            let instances = pool.stats().functions[0].instances.clone();
            let busy = instances
                .iter()
                .filter(|one| one.state == InstanceState::Busy);
            busy.count()
        };
        assert_eq!(busy(&pool), 2);
        meeting.end();
    });
    assert_eq!(pids(&responses).len(), 2);
    eventually("one process is left", async || {
        (pool.stats().functions[0].instances.len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn usher_toml_runs_a_classic_function_this_way() {
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: \
                    AWS::Serverless::Function\n    Properties: {Runtime: provided.al2023, CodeUri: \
                    built}\n";
    let project = project(template);
    let run = |settings: &str| {
        std::fs::write(project.path().join("usher.toml"), settings).unwrap();
        environment_of_echo(project.path())
    };
    let variable = "AWS_LAMBDA_MAX_CONCURRENCY";
    assert_eq!(run("")[variable], Value::Null);
    assert_eq!(
        run("[functions.Echo]\nmax-concurrency = 12\n")[variable],
        "12"
    );
}

/// What `usher invoke` shows of the environment of a process.
fn environment_of_echo(project: &Path) -> Value {
    std::fs::write(project.join("event.json"), r#"{"do": "environment"}"#).unwrap();
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    usher.args(["invoke", "Echo", "-e", "event.json", "--alone"]);
    let output = usher.current_dir(project).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}
