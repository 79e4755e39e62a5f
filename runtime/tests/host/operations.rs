//! The control port: status, metrics, health, and who may change settings.

use serde_json::json;
use testkit::eventually;

use crate::exposition::check;
use crate::operations_fixture::{Application, HOSTILE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_invocations_and_include_printed_ones() {
    let mut application = Application::new();
    application.up().await;
    application.send(&application.queue, "hello").await;
    let text = eventually("all of it is counted", async || {
        let text = application.metrics().await;
        let queue = format!(
            "usher_sqs_deleted_total{{mapping=\"Echo.Jobs\",queue=\"{}\"}} 1\n",
            application.queue
        );
        let parts = [
            queue.as_str(),
            "usher_function_errors_total{function=\"Echo\"} ",
            "usher_function_duration_seconds_bucket{function=\"Echo\",le=\"+Inf\"} ",
            "usher_function_init_seconds_count{function=\"Echo\"} ",
            "emf_shop_sold_sum{function=\"Echo\",unit=\"\",d_env=\"test\"} ",
        ];
        let failed = !text.contains("usher_function_errors_total{function=\"Echo\"} 0\n");
        (failed && parts.iter().all(|part| text.contains(part))).then_some(text)
    })
    .await;
    let errors = text
        .lines()
        .find_map(|line| line.strip_prefix("usher_function_errors_total{function=\"Echo\"} "))
        .unwrap();
    assert_ne!(errors, "0");
    let activity = application.get("/_usher/activity").await;
    assert_eq!(activity["failures"][0]["error"]["message"], HOSTILE);
    assert_eq!(application.get("/health").await["status"], "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_need_a_local_request_with_the_token() {
    let mut application = Application::new();
    application.up().await;
    let client = reqwest::Client::new();
    for (header, value) in [
        ("Host", "evil.example"),
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
    ] {
        for path in ["/_usher/", "/_usher/status", "/_usher/token", "/metrics"] {
            let answer = client
                .get(application.url(path))
                .header(header, value)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), 403, "{path} {header}: {value}");
        }
    }
    let change = json!({ "target": "Echo", "setting": "concurrency", "value": "2" });
    let token = application.get("/_usher/token").await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    for wrong in ["", "0", &token[1..], &format!("{token}0")] {
        assert_eq!(
            application
                .change(&[("x-usher-token", wrong)], &change)
                .await
                .0,
            403,
            "{wrong:?}"
        );
    }
    let foreign = application
        .change(
            &[("x-usher-token", &token), ("origin", "http://evil.example")],
            &change,
        )
        .await;
    assert_eq!(foreign.0, 403);
    for array in [
        json!(["Echo", "concurrency", "2"]),
        json!([change]),
        json!([]),
    ] {
        assert_eq!(
            application
                .change(&[("x-usher-token", &token)], &array)
                .await
                .0,
            400,
            "{array}"
        );
    }
    assert_eq!(
        application.get("/_usher/settings").await["changes"],
        json!([])
    );
    let (status, answer) = application
        .change(&[("x-usher-token", &token)], &change)
        .await;
    assert_eq!((status, &answer["change"]["new"]), (200, &json!(2)));

    let page = client
        .get(application.url("/_usher/"))
        .send()
        .await
        .unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_stay_valid_whatever_functions_print() {
    let mut application = Application::new();
    application.up().await;
    let metrics = ["Foo", "Foo_count", "foo", "Foo Sum", "Ä"]
        .map(|name| json!({ "Name": name, "Unit": "a\"b\n" }));
    let directive =
        |dimensions| json!({ "Namespace": "Shop", "Dimensions": [dimensions], "Metrics": metrics });
    for dimensions in [
        json!(["Env", "env"]),
        json!(["Env"]),
        json!(["env"]),
        json!(["__name__", "le", "1-2"]),
    ] {
        let mut line = json!({ "_aws": { "CloudWatchMetrics": [directive(dimensions)] } });
        let values = [
            ("Foo", json!(1)),
            ("Foo_count", json!(1e308)),
            ("foo", json!([1e308, 1e308])),
            ("Foo Sum", json!(-2)),
            ("Ä", json!(0)),
        ];
        let texts =
            ["Env", "env", "__name__", "le", "1-2"].map(|name| (name, json!("x\n\"\\\u{0}")));
        for (name, value) in values.into_iter().chain(texts) {
            line[name] = value;
        }
        application.invoke(&json!({ "do": "print", "line": line.to_string() }));
    }
    let text = eventually("all of it is there", async || {
        let text = application.metrics().await;
        (text.matches("emf_shop_foo_sum{").count() >= 4).then_some(text)
    })
    .await;
    let families = check(&text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"));
    let printed = families
        .iter()
        .filter(|family| family.starts_with("emf_shop_") && *family != "emf_shop_sold")
        .count();
    assert_eq!(
        printed, 5,
        "each metric is a family of its own: {families:?}"
    );
    assert!(
        text.contains("_sum{function=\"Echo\",unit=\"a\\\"b\\n\",d_env=")
            && text.contains("} +Inf\n"),
        "{text}"
    );
    let log = application.log();
    assert_eq!(
        log.matches("the metric Foo_count of Shop is emf_shop_foo_count_")
            .count(),
        1,
        "{log}"
    );
}
