//! The Invoke API over plain HTTP: what it answers, whom it refuses, and `usher invoke` through it.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use usher::instances::PoolOptions;
use usher::invoke_api::Token;
use usher::model::Function;
use usher::up;

use crate::support::{application, function, project};
use crate::up::up_options;

/// A host with the function `Echo`, named `stack-Echo`.
pub(crate) struct Host {
    pub(crate) url: String,
    pub(crate) state: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<Result<(), up::StartError>>,
}

impl Host {
    pub(crate) async fn start(function: Function) -> Self {
        Self::with(function, free_address(), None).await
    }

    async fn with(function: Function, address: SocketAddr, token: Option<&str>) -> Self {
        let token = token.map(|token| Token::new(token).unwrap());
        Self::run(
            function,
            up::Options {
                invoke: up::InvokeAt::Given(address),
                token,
                ..up_options(free_address())
            },
            address,
        )
        .await
    }

    /// With as many instances of a function as this, unless it reserves a number.
    async fn limited(function: Function, default_concurrency: usize) -> Self {
        let address = free_address();
        let options = up_options(free_address());
        let pool = PoolOptions {
            default_concurrency,
            ..options.pool
        };
        Self::run(
            function,
            up::Options {
                invoke: up::InvokeAt::Given(address),
                pool,
                ..options
            },
            address,
        )
        .await
    }

    async fn run(function: Function, options: up::Options, address: SocketAddr) -> Self {
        let app = application(function);
        let state = options.state.path().to_owned();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(up::run(app, options, async move { drop(stopped.await) }));
        let url = format!("http://127.0.0.1:{}", address.port());
        let host = Self {
            url,
            state,
            stop: Some(stop),
            running,
        };
        eventually("the host answers", async || {
            reqwest::get(host.path("/")).await.ok()
        })
        .await;
        host
    }

    fn path(&self, path: &str) -> String {
        format!("{}/2015-03-31/functions{path}", self.url)
    }

    /// Calls a function with these headers.
    async fn call(
        &self,
        function: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Response {
        let mut request = reqwest::Client::new()
            .post(self.path(&format!("/{function}/invocations")))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

/// Status, `x-amzn-ErrorType` and body of a refusal.
async fn refusal(response: reqwest::Response) -> (StatusCode, String, Value) {
    let kind = response
        .headers()
        .get("x-amzn-errortype")
        .map(|kind| kind.to_str().unwrap().to_owned());
    (
        response.status(),
        kind.unwrap_or_default(),
        response.json().await.unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_refuses_is_refused_in_its_words() {
    let host = Host::start(Function {
        concurrency: Some(1),
        ..function(&[])
    })
    .await;
    let event = [("x-amz-invocation-type", "Event")];
    let six = vec![b' '; 6 * 1024 * 1024 + 1];
    let one = vec![b' '; 1024 * 1024 + 1];
    for (response, status, kind) in [
        (
            host.call("Nobody", &[], "{}").await,
            404,
            "ResourceNotFoundException",
        ),
        (
            host.call("stack-Echo:live", &[], "{}").await,
            404,
            "ResourceNotFoundException",
        ),
        (
            host.call("stack-Echo", &[], "no json").await,
            400,
            "InvalidRequestContentException",
        ),
        (
            host.call("stack-Echo", &event, "no json").await,
            400,
            "InvalidRequestContentException",
        ),
        (
            host.call("stack-Echo", &[("x-amz-invocation-type", "Maybe")], "{}")
                .await,
            400,
            "InvalidParameterValueException",
        ),
        (
            host.call("stack-Echo", &[], six).await,
            413,
            "RequestTooLargeException",
        ),
        (
            host.call("stack-Echo", &event, one).await,
            413,
            "RequestTooLargeException",
        ),
    ] {
        let (found, named, body) = refusal(response).await;
        assert_eq!((found.as_u16(), named.as_str()), (status, kind), "{body}");
        assert!(
            body["Message"].is_string() && body["Type"] == "User",
            "{body}"
        );
    }
    let hanging = tokio::spawn({
        let request = reqwest::Client::new()
            .post(host.path("/Echo/invocations"))
            .body(r#"{"do": "sleep", "ms": 3000}"#);
        async move {
            loop {
                // the other's call may have the instance just then
                let status = request.try_clone().unwrap().send().await.unwrap().status();
                if status != StatusCode::TOO_MANY_REQUESTS {
                    return status;
                }
            }
        }
    });
    let (status, kind, body) =
        eventually("a second call finds the only instance busy", async || {
            let response = host.call("Echo", &[], r#"{"do": "echo"}"#).await;
            if response.status() == StatusCode::OK {
                None
            } else {
                Some(refusal(response).await)
            }
        })
        .await;
    assert_eq!(
        (status.as_u16(), kind.as_str()),
        (429, "TooManyRequestsException"),
        "{body}"
    );
    assert_eq!(
        body["Reason"],
        "ReservedFunctionConcurrentInvocationLimitExceeded"
    );
    assert_eq!(hanging.await.unwrap(), StatusCode::OK);
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_limit_is_not_called_reserved() {
    let host = Host::limited(function(&[]), 1).await;
    let held = async {
        // the other's call may have the instance just then
        while host
            .call("Echo", &[], r#"{"do": "sleep", "ms": 3000}"#)
            .await
            .status()
            != StatusCode::OK
        {}
    };
    let second = async {
        eventually("the second call finds the only instance busy", async || {
            let response = host.call("Echo", &[], r#"{"do": "echo"}"#).await;
            if response.status() == StatusCode::OK {
                None
            } else {
                Some(refusal(response).await)
            }
        })
        .await
    };
    let ((), (status, kind, body)) = tokio::join!(held, second);
    assert_eq!(
        (status.as_u16(), kind.as_str()),
        (429, "TooManyRequestsException"),
        "{body}"
    );
    assert_eq!(body["Reason"], "ConcurrentInvocationLimitExceeded");
    let message = body["Message"].as_str().unwrap();
    for part in [
        "Rate Exceeded.",
        "limit of 1 instance",
        "usher set Echo concurrency=N",
        "usher.toml",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_sees_the_alias_it_was_invoked_by() {
    let qualifiers = ["1", "live"].map(str::to_owned).into();
    let host = Host::start(usher::model::Function {
        qualifiers,
        ..function(&[])
    })
    .await;
    for (name, end, version) in [
        ("Echo", ":stack-Echo", "$LATEST"),
        ("Echo:$LATEST", ":stack-Echo:$LATEST", "$LATEST"),
        ("Echo:live", ":stack-Echo:live", "1"),
        ("Echo:1", ":stack-Echo:1", "1"),
    ] {
        let answer = host.call(name, &[], r#"{"do": "echo"}"#).await;
        assert_eq!(
            answer.headers()["x-amz-executed-version"],
            version,
            "{name}"
        );
        let answer: Value = answer.json().await.unwrap();
        assert!(
            answer["arn"].as_str().unwrap().ends_with(end),
            "{name}: {answer}"
        );
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_context_reaches_a_synchronous_invocation() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("seen");
    let host = Host::start(function(&[("RECORD_TO", record.to_str().unwrap())])).await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let context = encode("{\"custom\": {\"caller\": \"M\u{fc}ller\"}}");
    let event = r#"{"do": "context"}"#;
    let answer: Value = host
        .call("Echo", &[("x-amz-client-context", &context)], event)
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(answer, json!({ "caller": "M\u{fc}ller" }));
    let bare: Value = host.call("Echo", &[], event).await.json().await.unwrap();
    assert_eq!(bare, json!({}), "it is of one invocation only");
    // the service passes it to synchronous invocations alone
    let event_headers = [
        ("x-amz-client-context", context.as_str()),
        ("x-amz-invocation-type", "Event"),
    ];
    assert_eq!(host.call("Echo", &event_headers, event).await.status(), 202);
    let seen = eventually("the event ran", async || {
        let seen = std::fs::read_to_string(&record).ok()?;
        (seen.lines().count() == 3).then_some(seen)
    })
    .await;
    assert_eq!(seen.lines().last(), Some("{}"), "{seen}");
    let large = encode(&format!("{{\"a\": \"{}\"}}", "x".repeat(3_000)));
    for wrong in ["no base64!", &encode("7"), &encode("{"), &large] {
        let (status, kind, body) = refusal(
            host.call("Echo", &[("x-amz-client-context", wrong)], event)
                .await,
        )
        .await;
        assert_eq!(
            (status.as_u16(), kind.as_str()),
            (400, "InvalidRequestContentException"),
            "{wrong}"
        );
        assert!(
            body["Message"]
                .as_str()
                .unwrap()
                .starts_with("Client context must be"),
            "{body}"
        );
    }
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_pages_and_foreign_names_are_refused_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("seen");
    let host = Host::start(function(&[("RECORD_TO", record.to_str().unwrap())])).await;
    let event =
        json!({ "Records": [{ "messageId": "m", "body": "b", "attributes": {} }] }).to_string();
    for header in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("origin", &host.url),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example:3001"),
    ] {
        for kind in ["RequestResponse", "Event"] {
            let response = host
                .call(
                    "Echo",
                    &[header, ("x-amz-invocation-type", kind)],
                    event.clone(),
                )
                .await;
            let (status, kind, _) = refusal(response).await;
            assert_eq!(
                (status.as_u16(), kind.as_str()),
                (403, "AccessDeniedException"),
                "{header:?}"
            );
        }
    }
    let listed = reqwest::Client::new()
        .get(host.path("/"))
        .header("origin", "http://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.status(), 403);
    assert!(!record.exists());
    assert_eq!(host.call("Echo", &[], event).await.status(), 200);
    assert!(record.exists());
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_address_needs_the_token_from_whoever_is_not_this_machine() {
    let address = SocketAddr::new([0, 0, 0, 0].into(), free_address().port());
    let host = Host::with(function(&[]), address, Some("0123456789abcdef")).await;
    let foreign = ("host", "usher.example:3001");
    let call = async |headers: &[(&str, &str)]| {
        host.call("Echo", headers, r#"{"do": "echo"}"#)
            .await
            .status()
            .as_u16()
    };
    assert_eq!(call(&[foreign]).await, 403);
    assert_eq!(
        call(&[foreign, ("authorization", "Bearer 0123456789abcdeX")]).await,
        403
    );
    assert_eq!(
        call(&[foreign, ("authorization", "Bearer 0123456789abcdef")]).await,
        200
    );
    let signed = "AWS4-HMAC-SHA256 Credential=0123456789abcdef/20260131/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=00";
    assert_eq!(call(&[foreign, ("authorization", signed)]).await, 200);
    assert_eq!(call(&[]).await, 200, "this machine needs none");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_calls_another_through_its_host_and_files_are_for_this_user_alone() {
    let host = Host::start(function(&[])).await;
    let event = json!({ "do": "call", "function": "stack-Echo", "event": { "do": "echo", "text": "from within" } });
    let answer: Value = host
        .call("Echo", &[], event.to_string())
        .await
        .json()
        .await
        .unwrap();
    assert_eq!(answer["event"]["text"], "from within", "{answer}");
    for file in ["events.redb", "host.json", "host.lock", "host-id"] {
        let mode = std::fs::metadata(host.state.join(file))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let beacon = host.state.join("host.json");
    host.stop().await;
    assert!(!beacon.exists(), "it speaks of a host that runs");
}

/// `usher invoke` for a project whose host keeps this state.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: AWS::Serverless::Function\n    \
                        Properties: {Runtime: provided.al2023, CodeUri: built}\n";
        Self(project(template))
    }

    fn invoke(&self, state: &Path, event: &str, more: &[&str]) -> Output {
        let file = self.0.path().join("event.json");
        std::fs::write(&file, event).unwrap();
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["invoke", "Echo", "-e", "event.json", "--state"])
            .arg(state)
            .args(more)
            .current_dir(self.0.path());
        usher.output().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usher_invoke_goes_through_the_running_host_and_starts_the_function_where_none_runs() {
    let host = Host::start(function(&[("WHERE", "host")])).await;
    let project = Project::new();
    let state = host.state.clone();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let where_it_ran = |more: &[&str]| {
        let output = project.invoke(&state, r#"{"do": "environment"}"#, more);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["WHERE"].clone()
    };
    assert_eq!(where_it_ran(&[]), "host");
    assert_eq!(where_it_ran(&["--alone"]), Value::Null);

    let printed = project.invoke(&state, r#"{"do": "echo", "text": "hello"}"#, &["--log"]);
    let log = text(&printed.stderr);
    assert!(
        log.contains("echo \"hello\"") && log.contains("REPORT RequestId"),
        "{log}"
    );
    let failed = project.invoke(&state, r#"{"do": "fail"}"#, &[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains("failure requested"),
        "{}",
        text(&failed.stderr)
    );
    let taken = project.invoke(&state, r#"{"do": "echo"}"#, &["--async"]);
    assert_eq!(
        (taken.status.code(), text(&taken.stdout).trim().len()),
        (Some(0), 36),
        "a request id: {}",
        text(&taken.stdout)
    );

    // what a host leaves that was killed
    let beacon = std::fs::read(state.join("host.json")).unwrap();
    host.stop().await;
    std::fs::write(state.join("host.json"), beacon).unwrap();
    assert_eq!(where_it_ran(&[]), Value::Null);
    let nobody = project.invoke(&state, "{}", &["--async"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        text(&nobody.stderr).contains("usher up"),
        "{}",
        text(&nobody.stderr)
    );
}

#[test]
fn an_address_that_others_reach_is_refused_without_a_token() {
    let project = Project::new();
    for (arguments, word) in [
        (["--listen", "0.0.0.0:0"], "--token TOKEN"),
        (["--token", "short"], "at least 16"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("up")
            .args(arguments)
            .current_dir(project.0.path())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word), "{told}");
    }
}
