//! Internal extensions: accepted and refused registrations.

use serde_json::json;
use testkit::eventually;

use crate::support::{answer, error, function, invoke, pool};

#[tokio::test]
async fn registrations_are_checked_as_the_emulator_checks_them() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("answers");
    let invoke_event = r#"{"events":["INVOKE"]}"#;
    let none = r#"{"events":[]}"#;
    let mut wanted = vec![
        (None, none, "403 Extension.InvalidExtensionName"),
        (Some("a"), "no json", "403 InvalidRequestFormat"),
        (
            Some("a"),
            r#"{"events":"INVOKE"}"#,
            "403 InvalidRequestFormat",
        ),
        (
            Some("a"),
            r#"{"configurationKeys":["k"]}"#,
            "403 InvalidRequestFormat",
        ),
        (
            Some("a"),
            r#"{"events":["SHUTDOWN"]}"#,
            "403 Extension.InvalidEventType",
        ),
        (
            Some("a"),
            r#"{"events":["INVOKE","abcdef"]}"#,
            "403 Extension.InvalidEventType",
        ),
        (Some("a"), invoke_event, "200 -"),
        (Some("a"), none, "403 Extension.InvalidExtensionState"),
    ];
    let more: Vec<String> = (1..10).map(|number| format!("more-{number}")).collect();
    wanted.extend(more.iter().map(|name| (Some(name.as_str()), none, "200 -")));
    wanted.push((
        Some("one-too-many"),
        none,
        "403 Extension.TooManyExtensions",
    ));
    let extensions: Vec<(Option<&str>, &str)> = wanted
        .iter()
        .map(|(name, body, _)| (*name, *body))
        .collect();
    let extensions = json!(extensions).to_string();
    let environment = [
        ("ON_START", "register"),
        ("EXTENSIONS", extensions.as_str()),
        ("RECORD_TO", record.to_str().unwrap()),
    ];
    let pool = pool(function(&environment));
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    let answers = std::fs::read_to_string(&record).unwrap();
    let expected: Vec<&str> = wanted.iter().map(|(.., answer)| *answer).collect();
    assert_eq!(answers.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_registration_after_initialisation_is_refused() {
    let pool = pool(function(&[]));
    let told = answer(&invoke(&pool, json!({"do": "register", "name": "late"})).await);
    assert_eq!(
        (&told["status"], &told["answer"]["errorType"]),
        (&json!(403), &json!("Extension.RegistrationClosed"))
    );
    answer(&invoke(&pool, json!({"do": "echo"})).await);
    assert_eq!(
        pool.stats().functions[0].cold_starts,
        1,
        "the process goes on"
    );
}

/// `lambda_runtime` registers and requests its first event on two connections at once.
#[tokio::test]
async fn a_registration_sent_before_initialisation_ends_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("answers");
    for round in 1..=20 {
        let pool = pool(function(&[
            ("ON_START", "graceful"),
            ("RECORD_TO", record.to_str().unwrap()),
        ]));
        answer(&invoke(&pool, json!({"do": "echo"})).await);
        let answers = eventually("the registration is answered", async || {
            let answers = std::fs::read_to_string(&record).ok()?;
            (answers.lines().count() == round).then_some(answers)
        })
        .await;
        assert!(answers.lines().all(|status| status == "200"), "{answers}");
    }
}

#[tokio::test]
async fn an_extensions_error_needs_its_type() {
    let folder = tempfile::tempdir().unwrap();
    let record = folder.path().join("answers");
    let pool = pool(function(&[
        ("ON_START", "extension-calls"),
        ("RECORD_TO", record.to_str().unwrap()),
    ]));
    let response = invoke(&pool, json!({"do": "echo"})).await;
    assert_eq!(
        error(&response),
        ("Extension.Bad".to_owned(), "no key".to_owned())
    );
    let answers = eventually("every call is answered", async || {
        let answers = std::fs::read_to_string(&record).ok()?;
        (answers.lines().count() >= 4).then_some(answers)
    })
    .await;
    let expected = [
        "403 Extension.MissingExtensionIdentifier",
        "403 Extension.InvalidExtensionIdentifier",
        "403 Extension.UnknownExtensionIdentifier",
        "403 Extension.MissingHeader",
    ];
    assert_eq!(answers.lines().take(4).collect::<Vec<_>>(), expected);
}
