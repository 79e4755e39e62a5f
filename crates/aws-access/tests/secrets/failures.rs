//! Refusals, limits, outages and certificates.

use std::time::{Duration, Instant};

use aws_access::{Access, AccessError, Credentials, Version};
use testkit::aws::{KEY_ID, SecretsServer};

use crate::{PARAMETER, SECRET, access, arn, endpoints};

/// Whether an error is of the expected kind.
type Expected = fn(&AccessError) -> bool;

async fn read(access: &Access, text: &str) -> Result<String, AccessError> {
    let secret = access.secret(&arn(text), Version::Current).await;
    secret.map(|secret| secret.expose().to_owned())
}

#[tokio::test]
async fn another_key_is_denied_at_once_and_not_printed() {
    let server = SecretsServer::start().await;
    server.put(SECRET, "hush");
    let forged = Credentials::new(KEY_ID, "another-key", None);
    let access = Access::new("eu-central-1", forged, endpoints(&server.url()));
    let error = read(&access, SECRET)
        .await
        .expect_err("the signature differs");
    assert!(matches!(error, AccessError::Denied { .. }), "{error}");
    let text = format!("{error} {error:?} {access:?}");
    assert!(text.contains("secretsmanager:GetSecretValue"), "{text}");
    assert!(
        !text.contains("another-key") && !text.contains("hush"),
        "{text}"
    );
}

#[tokio::test]
async fn each_refusal_is_an_error_of_its_kind_and_not_repeated() {
    let server = SecretsServer::start().await;
    let access = access(&server);
    let of_key = "Access to KMS is not allowed";
    let cases: [(&str, &str, &str, Expected); 6] = [
        (
            SECRET,
            "AccessDeniedException",
            "no policy allows it",
            |e| {
                matches!(
                    e,
                    AccessError::Denied {
                        action: "secretsmanager:GetSecretValue",
                        ..
                    }
                )
            },
        ),
        (
            PARAMETER,
            "AccessDeniedException",
            "no policy allows it",
            |e| {
                matches!(
                    e,
                    AccessError::Denied {
                        action: "ssm:GetParameter",
                        ..
                    }
                )
            },
        ),
        (SECRET, "AccessDeniedException", of_key, |e| {
            matches!(e, AccessError::Key { .. })
        }),
        (SECRET, "DecryptionFailure", "", |e| {
            matches!(e, AccessError::Key { .. })
        }),
        (SECRET, "x.y#ResourceNotFoundException", "", |e| {
            matches!(e, AccessError::NotFound { .. })
        }),
        (
            SECRET,
            "InvalidRequestException",
            "marked for deletion",
            |e| matches!(e, AccessError::Refused { .. }),
        ),
    ];
    for (n, (name, code, message, expected)) in cases.into_iter().enumerate() {
        server.fail(400, code, message);
        let error = read(&access, name).await.expect_err(code);
        assert!(expected(&error) && !error.is_transient(), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(server.reads().len(), n + 1, "{code}");
    }
}

#[tokio::test]
async fn limited_and_failed_requests_are_repeated() {
    let server = SecretsServer::start().await;
    server.put(SECRET, "hush");
    server.fail(400, "ThrottlingException", "Rate exceeded");
    server.fail(500, "InternalServiceError", "");
    server.fail(503, "", "");
    assert_eq!(read(&access(&server), SECRET).await, Ok("hush".into()));
    assert_eq!(server.reads().len(), 4);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let server = SecretsServer::start().await;
    for _ in 0..9 {
        server.fail(400, "ThrottlingException", "Rate exceeded");
    }
    let error = read(&access(&server), SECRET).await.expect_err("limited");
    assert!(matches!(error, AccessError::Throttled { .. }), "{error}");
    assert_eq!(server.reads().len(), 4);
}

#[tokio::test]
async fn a_silent_service_is_given_up_before_lambda_ends_the_start() {
    let server = SecretsServer::start().await;
    server.set_silent(true);
    let began = Instant::now();
    let error = read(&access(&server), SECRET).await.expect_err("no answer");
    assert!(matches!(error, AccessError::Timeout { .. }), "{error}");
    assert!(
        error.is_transient() && error.to_string().contains("endpoint"),
        "{error}"
    );
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_missing_server_is_an_outage() {
    let address = testkit::net::free_address();
    let credentials = Credentials::new("AKID", "key", None);
    let access = Access::new(
        "eu-central-1",
        credentials,
        endpoints(&format!("http://{address}")),
    );
    let error = read(&access, SECRET).await.expect_err("nothing listens");
    assert!(matches!(error, AccessError::Unavailable { .. }), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_secret_is_unreadable() {
    let server = SecretsServer::start().await;
    server.fail(200, "binary", "");
    let error = read(&access(&server), SECRET)
        .await
        .expect_err("it has no text");
    assert!(matches!(error, AccessError::Unreadable { .. }), "{error}");
}
