//! What is read.

use aws_access::{AccessError, Version};
use testkit::aws::SecretsServer;

use crate::{PARAMETER, SECRET, access, arn};

const PASSWORD: &str = r##"{"username":"usher","password":"#?%\"\\"}"##;

#[tokio::test]
async fn secrets_and_parameters_are_read_by_their_arn() {
    let server = SecretsServer::start().await;
    server.put(SECRET, PASSWORD);
    server.put(PARAMETER, "key\u{fc}\n");
    let access = access(&server);
    let secret = access.secret(&arn(SECRET), Version::Current).await;
    let secret = secret.expect("it exists");
    assert_eq!(secret.expose(), PASSWORD);
    assert_eq!(format!("{secret:?}"), "[secret]");
    let parameter = access.secret(&arn(PARAMETER), Version::Current).await;
    assert_eq!(parameter.expect("it exists").expose(), "key\u{fc}\n");
}

#[tokio::test]
async fn the_pending_version_is_read_apart() {
    let server = SecretsServer::start().await;
    server.put(SECRET, "old");
    let access = access(&server);
    let pending = access.secret(&arn(SECRET), Version::Pending).await;
    assert!(
        matches!(pending, Err(AccessError::NotFound { .. })),
        "{pending:?}"
    );
    server.put_stage(SECRET, "AWSPENDING", "new");
    let pending = access.secret(&arn(SECRET), Version::Pending).await;
    assert_eq!(pending.expect("it exists").expose(), "new");
    let current = access.secret(&arn(SECRET), Version::Current).await;
    assert_eq!(current.expect("it exists").expose(), "old");
}

#[tokio::test]
async fn a_secret_of_the_maximum_size_is_read() {
    let server = SecretsServer::start().await;
    // Each byte takes six in JSON.
    let value = "\u{1}".repeat(65_536);
    server.put(SECRET, &value);
    let secret = access(&server).secret(&arn(SECRET), Version::Current).await;
    assert_eq!(secret.expect("it exists").expose(), value);
}
