//! Text from outside has no effect on a terminal or on the format of the host's log.

use serde_json::json;
use testkit::eventually;

use crate::kafka_fixture::random;
use crate::operations_fixture::Application;

/// An error message that would begin a log line, clear the screen, colour and reorder text.
const HOSTILE: &str = "oops\n2026-01-01T00:00:00.000000Z ERROR forged\r\u{1b}[2J\u{9b}31m\u{202e}";

/// No part acts on a terminal, and no line looks like a log line of the host.
fn assert_plain(what: &str, text: &str) {
    let acts = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    assert!(!text.contains(acts), "{what}: {text:?}");
    assert!(
        !text
            .lines()
            .any(|line| line.starts_with("2026-01-01T00:00:00.000000Z")),
        "{what}: {text}"
    );
}

fn both(output: &std::process::Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_errors_and_output_stay_on_their_line() {
    let mut application = Application::new();
    application.up().await;
    let failed = application.invoke(&json!({ "do": "fail", "message": HOSTILE }));
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_plain("usher invoke", &said);
    assert!(
        said.contains("oops\\n2026") && said.contains("\\u001b[2J\\u009b31m\\u202e"),
        "{said}"
    );

    let accepted =
        application.invoke_with(&json!({ "do": "fail", "message": HOSTILE }), &["--async"]);
    assert!(accepted.status.success(), "{accepted:?}");
    let printed = application.invoke_with(
        &json!({ "do": "print", "line": format!("printed {HOSTILE}") }),
        &["--log"],
    );
    let log = eventually("the host has logged the failure", async || {
        let log = application.log();
        (log.contains("an asynchronous event failed: oops") && log.contains("| printed oops"))
            .then_some(log)
    })
    .await;
    assert_plain("usher up", &log);
    assert!(printed.status.success());
    assert!(both(&printed).contains("printed oops"), "{printed:?}");
    assert!(
        !both(&printed).contains(['\u{1b}', '\u{9b}', '\u{202e}']),
        "{printed:?}"
    );
    let alone = application.invoke_with(
        &json!({ "do": "print", "line": "\u{1b}]0;title\u{7}" }),
        &["--alone"],
    );
    assert_plain("usher invoke --alone", &both(&alone));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_names_and_letters_are_shown_as_text() {
    let url = testkit::servers::cache_url();
    let mut redis = redis::Client::open(url.as_str())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let name = format!("host-{}", random());
    let dead = format!("{name}{HOSTILE}-dead");
    let letter: [&str; 10] = [
        "dead:id",
        "5-0",
        "dead:group",
        HOSTILE,
        "dead:deliveries",
        "3",
        "dead:reason",
        HOSTILE,
        HOSTILE,
        HOSTILE,
    ];
    redis::cmd("XADD")
        .arg(&dead)
        .arg("*")
        .arg(&letter)
        .query_async::<()>(&mut redis)
        .await
        .unwrap();
    let application = Application::new();
    application.settings(&format!("redis = '{url}'"));
    let commands: [&[&str]; 4] = [
        &["parked", "list"],
        &["parked", "show", &dead],
        &["parked", "replay", &dead, "--dry-run"],
        &["parked", "show", "nowhere"],
    ];
    let said = commands.map(|arguments| both(&application.usher(arguments)));
    redis::cmd("DEL")
        .arg(&dead)
        .query_async::<()>(&mut redis)
        .await
        .unwrap();
    for (said, arguments) in said.iter().zip(commands) {
        assert_plain(arguments[1], said);
        assert!(said.contains("\\u001b[2J"), "{arguments:?}: {said}");
    }
}
