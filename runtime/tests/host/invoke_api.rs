//! The Invoke API over plain HTTP.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use reqwest::StatusCode;
use sam_template::model::Function;
use serde_json::{Value, json};
use testkit::eventually;
use testkit::net::free_address;

use crate::invoke_api_fixture::Host;
use crate::support::function;

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
async fn refusals_have_the_services_errors() {
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
async fn a_function_receives_the_invoked_alias() {
    let qualifiers = ["1", "live"].map(str::to_owned).into();
    let host = Host::start(sam_template::model::Function {
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
async fn web_pages_and_foreign_hosts_are_refused() {
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
async fn other_machines_need_the_token() {
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
    let signed = "AWS4-HMAC-SHA256 \
                  Credential=0123456789abcdef/20260131/us-east-1/lambda/aws4_request, \
                  SignedHeaders=host, Signature=00";
    assert_eq!(call(&[foreign, ("authorization", signed)]).await, 200);
    assert_eq!(call(&[]).await, 200, "this machine needs none");
    host.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_call_functions_and_files_are_private() {
    let host = Host::start(function(&[])).await;
    let inner = json!({ "do": "echo", "text": "from within" });
    let event = json!({ "do": "call", "function": "stack-Echo", "event": inner });
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
