//! Secrets that change while a process runs.

use futures::future::join_all;
use shared::access::{Access, AccessSettings, Needed, PAUSE};
use shared::config::{Reader, Secret};
use testkit::aws::SecretsServer;
use tokio::time::sleep;

use crate::{LOGIN, login, opened, reader};

async fn password(source: &shared::access::ServerLogin, refused: bool) -> String {
    let login = source.login(refused).await.expect("a login");
    login.password.expect("a password").expose().to_owned()
}

#[tokio::test]
async fn a_refused_login_is_read_again_once_for_all_callers() {
    let server = SecretsServer::start().await;
    server.put(LOGIN, &login("usher", "old"));
    let source = opened(&reader(&server, &[])).await.expect("opened");
    assert_eq!(password(&source, false).await, "old");
    server.put(LOGIN, &login("usher", "new"));
    assert_eq!(password(&source, false).await, "old", "nothing was refused");
    // Reads are limited by time, which is what this test is about.
    sleep(PAUSE).await;
    let all = join_all((0..20).map(|_| password(&source, true))).await;
    assert!(all.iter().all(|password| password == "new"), "{all:?}");
    assert_eq!(server.reads().len(), 2);
    assert_eq!(password(&source, true).await, "new", "read a moment ago");
    assert_eq!(server.reads().len(), 2);
}

#[tokio::test]
async fn the_pending_version_is_used_before_it_is_the_current_one() {
    let server = SecretsServer::start().await;
    server.put(LOGIN, &login("usher", "old"));
    let source = opened(&reader(&server, &[])).await.expect("opened");
    assert_eq!(password(&source, false).await, "old");
    // A rotation: the server has the new password already.
    server.put_stage(LOGIN, "AWSPENDING", &login("usher", "new"));
    sleep(PAUSE).await;
    assert_eq!(password(&source, true).await, "new");
    // The pending version is refused: the rotation has not set it yet.
    sleep(PAUSE).await;
    assert_eq!(password(&source, true).await, "old");
}

#[tokio::test]
async fn keys_are_read_again_after_a_signature_that_none_verifies() {
    let server = SecretsServer::start().await;
    let (old, new) = ("o".repeat(16), "n".repeat(16));
    server.put(LOGIN, &old);
    let arn = ("KEY_SECRET_ARN".to_owned(), LOGIN.to_owned());
    let reader = Reader::new(server.variables().into_iter().chain([arn]));
    let needed = Needed {
        keys: Some(reader.keys("KEY_SECRET", 16)),
        ..Needed::default()
    };
    let settings = AccessSettings::read(&reader, needed);
    let keys = Access::open(&settings).await.expect("opened").keys();
    let first = keys.current().await.expect("keys");
    assert_eq!(first[..], [Secret::new(old.as_str())]);
    server.put(LOGIN, &format!(r#"{{"current":{old:?},"next":{new:?}}}"#));
    assert_eq!(keys.after(&first).await, Ok(None), "read a moment ago");
    assert_eq!(
        server.reads().len(),
        1,
        "forged signatures cause no further reads"
    );
}
