//! User and password: any text, and another one after a rotation.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use redis_link::{
    FixedLogin, Link, LinkError, LinkOptions, Login, LoginError, LoginSource, RefusalReason,
};
use testkit::redis::PrivateRedis;

use crate::TIMEOUT;
use crate::counter::Counter;

/// All printable ASCII: what generators of passwords use, and what ends a part of a URL.
fn printable() -> String {
    (b'!'..=b'~').map(char::from).collect()
}

pub(crate) fn login(password: &str) -> Login {
    Login {
        user: Some("buyer".into()),
        password: password.into(),
    }
}

/// Lets `buyer` in with this password only.
pub(crate) fn set_password(server: &PrivateRedis, password: &str) {
    let password = format!(">{password}");
    let words = [
        "ACL", "SETUSER", "buyer", "reset", "on", "~*", "&*", "+@all", &password,
    ];
    server.run(&words);
}

/// A secret with a cache: a login is read again only after a refusal.
struct CachedSecret {
    secret: Mutex<Login>,
    cached: Mutex<Login>,
    refusals: AtomicU32,
}

impl LoginSource for CachedSecret {
    fn login(&self, last_was_refused: bool) -> BoxFuture<'_, Result<Option<Login>, LoginError>> {
        let mut cached = self.cached.lock().expect("no panic before");
        if last_was_refused {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            *cached = self.secret.lock().expect("no panic before").clone();
        }
        ready(Ok(Some(cached.clone()))).boxed()
    }
}

fn link(server: &PrivateRedis, source: Arc<dyn LoginSource>) -> Link {
    let options = LinkOptions {
        login: Some(source),
        ..LinkOptions::default()
    };
    Link::open_with(&server.url(), TIMEOUT, options).expect("a usable address")
}

#[tokio::test]
async fn any_printable_password_is_sent_as_it_is() {
    let server = PrivateRedis::start(&[]);
    set_password(&server, &printable());
    let link = link(&server, Arc::new(FixedLogin(Some(login(&printable())))));
    assert_eq!(Counter::new(&link, "key").add().await, Ok(1));
    let mut whoami = link
        .read_one("whoami", redis::cmd("ACL").arg("WHOAMI").to_owned())
        .await
        .expect("answers");
    assert_eq!(whoami.word(), Ok("buyer".into()));
}

#[tokio::test]
async fn a_rotated_password_is_taken_without_a_new_process() {
    let server = PrivateRedis::start(&[]);
    set_password(&server, "first");
    let source = Arc::new(CachedSecret {
        secret: Mutex::new(login("first")),
        cached: Mutex::new(login("first")),
        refusals: AtomicU32::new(0),
    });
    let link = link(&server, source.clone());
    let mut counter = Counter::new(&link, "key");
    assert_eq!(counter.add().await, Ok(1));

    set_password(&server, "second");
    *source.secret.lock().expect("no panic before") = login("second");
    server.run(&["CLIENT", "KILL", "USER", "buyer"]);
    assert_eq!(
        counter.add().await,
        Ok(2),
        "the call is repeated with the new password"
    );
    assert_eq!(source.refusals.load(Ordering::SeqCst), 1);

    // A rotation that the secret does not follow is reported, and mended later.
    set_password(&server, "third");
    server.run(&["CLIENT", "KILL", "USER", "buyer"]);
    let refused = counter.add().await;
    assert!(
        matches!(&refused, Err(LinkError::Refused(refusal)) if refusal.reason == RefusalReason::Login),
        "{refused:?}"
    );
    *source.secret.lock().expect("no panic before") = login("third");
    assert_eq!(counter.add().await, Ok(3));
}

#[tokio::test]
async fn a_server_that_demands_a_login_is_named() {
    let server = PrivateRedis::start(&[]);
    let link = link(&server, Arc::new(FixedLogin(None)));
    let mut counter = Counter::new(&link, "key");
    assert_eq!(counter.add().await, Ok(1));
    server.run(&["ACL", "SETUSER", "default", "resetpass", ">hush"]);
    // The old connection stays logged in; a new one is not.
    let () = testkit::redis::query(
        &format!("redis://:hush@127.0.0.1:{}", server.port()),
        &["CLIENT", "KILL", "TYPE", "normal"],
    )
    .expect("answers");
    let refused = counter.add().await;
    let Err(LinkError::Refused(refusal)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refusal.reason, RefusalReason::LoginRequired);
    assert_eq!(refusal.server, format!("127.0.0.1:{}", server.port()));
}

#[tokio::test]
async fn a_source_that_fails_is_an_outage() {
    struct Failing;
    impl LoginSource for Failing {
        fn login(&self, _: bool) -> BoxFuture<'_, Result<Option<Login>, LoginError>> {
            ready(Err(LoginError("no answer from the vault".into()))).boxed()
        }
    }
    let server = PrivateRedis::start(&[]);
    let failed = Counter::new(&link(&server, Arc::new(Failing)), "key")
        .add()
        .await;
    assert!(
        matches!(&failed, Err(LinkError::Unavailable(text)) if text.contains("the vault")),
        "{failed:?}"
    );
}
