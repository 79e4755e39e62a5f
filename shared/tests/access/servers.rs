//! Passwords that are rotated on real servers while they are in use. No call fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::join_all;
use redis::cmd;
use redis_link::Link;
use shared::access::{Access, AccessSettings, Needed};
use shared::config::{Reader, Server};
use shared::naming::Names;
use shared::store::Store;
use testkit::aws::SecretsServer;
use testkit::private_postgres::PrivatePostgres;
use testkit::redis::PrivateRedis;

use crate::{LOGIN, login};

/// A call is repeated once if a connection was closed under it: far below this time.
const TIMEOUT: Duration = Duration::from_secs(3);

async fn open(
    secrets: &SecretsServer,
    url: (&str, &str),
    read: impl FnOnce(&Reader) -> Server,
) -> (Access, Server) {
    let secret = (url.0.replace("_URL", "_SECRET_ARN"), LOGIN.to_owned());
    let given = [(url.0.to_owned(), url.1.to_owned()), secret];
    let reader = Reader::new(secrets.variables().into_iter().chain(given));
    let server = read(&reader);
    let needed = Needed {
        logins: vec![server.login.clone()],
        ..Needed::default()
    };
    let settings = reader.finish(|| AccessSettings::read(&reader, needed));
    let access = Access::open(&settings.expect("valid")).await;
    (access.expect("the login is read"), server)
}

/// Statements of so many callers at the same time, each of which must succeed.
async fn statements(store: &Store, callers: usize) {
    let all = join_all((0..callers).map(|_| store.sweep_position("access"))).await;
    for result in all {
        result.expect("a rotation fails no statement");
    }
}

#[tokio::test]
async fn a_rotated_password_of_postgres_fails_no_statement() {
    let (postgres, secrets) = tokio::join!(PrivatePostgres::start(), SecretsServer::start());
    postgres.admin("ALTER ROLE usher PASSWORD 'old'").await;
    postgres
        .allow("host all all 127.0.0.1/32 scram-sha-256")
        .await;
    secrets.put(LOGIN, &login("usher", "old"));
    let url = postgres.url();
    let (access, server) = open(&secrets, ("DATABASE_URL", &url), |reader| {
        reader.postgres("DATABASE")
    })
    .await;
    let database = access.database(&server).expect("its login");
    let store = Store::open(&database, &Names::new("access").expect("a prefix"), 8);
    let store = store.expect("an address");
    store.migrate().await.expect("the old password");
    statements(&store, 1).await;

    // As a rotation does it: the new version, the server, and only then the current version.
    secrets.put_stage(LOGIN, "AWSPENDING", &login("usher", "new"));
    postgres.admin("ALTER ROLE usher PASSWORD 'new'").await;
    // Time of the load, in which new connections meet the new password.
    tokio::time::sleep(shared::access::PAUSE).await;
    statements(&store, 4).await;
    secrets.put(LOGIN, &login("usher", "new"));
    statements(&store, 8).await;

    // A rotation in one step, to another user.
    postgres
        .admin("CREATE ROLE other LOGIN PASSWORD 'third' IN ROLE usher")
        .await;
    secrets.put(LOGIN, &login("other", "third"));
    postgres.admin("ALTER ROLE usher NOLOGIN").await;
    store.disconnect().await;
    tokio::time::sleep(shared::access::PAUSE).await;
    let store = Store::open(&database, &Names::new("access").expect("a prefix"), 8);
    statements(&store.expect("an address"), 8).await;
    // Current and pending after the first refusal, current after the second one.
    let reads = secrets.reads().len();
    assert!((3..=6).contains(&reads), "{reads} reads of the secret");
}

/// Calls until told to stop. Returns their number.
async fn calls(link: Link, stop: Arc<AtomicU32>) -> u32 {
    let mut calls = 0;
    while stop.load(Ordering::Relaxed) == 0 {
        let reply = link.read_one("ping", cmd("PING")).await;
        reply.expect("a rotation fails no call");
        calls += 1;
        tokio::task::yield_now().await;
    }
    calls
}

#[tokio::test]
async fn a_rotated_password_of_redis_fails_no_call() {
    let redis = PrivateRedis::start(&[]);
    redis.run(&["ACL", "SETUSER", "usher", "on", ">old", "~*", "&*", "+@all"]);
    let secrets = SecretsServer::start().await;
    secrets.put(LOGIN, &login("usher", "old"));
    let url = redis.url();
    let (access, server) = open(&secrets, ("REDIS_GATE_URL", &url), |reader| {
        reader.redis("REDIS_GATE")
    })
    .await;
    let link = access.gate(&server, TIMEOUT).expect("an address");
    let stop = Arc::new(AtomicU32::new(0));
    let load = (0..4).map(|_| tokio::spawn(calls(link.clone(), stop.clone())));
    let load: Vec<_> = load.collect();
    link.read_one("ping", cmd("PING"))
        .await
        .expect("the old password");
    // The secret may be read again from here on.
    tokio::time::sleep(shared::access::PAUSE).await;

    redis.run(&["ACL", "SETUSER", "usher", "resetpass", ">new"]);
    secrets.put(LOGIN, &login("usher", "new"));
    // Every connection has to log in again, with the password that is refused now.
    let killed: u32 = redis.query(&["CLIENT", "KILL", "USER", "usher"]);
    assert!(killed > 0, "the link has a connection");
    for _ in 0..100 {
        link.read_one("ping", cmd("PING"))
            .await
            .expect("the new password");
    }
    stop.store(1, Ordering::Relaxed);
    for calls in join_all(load).await {
        assert!(calls.expect("no failed call") > 0);
    }
    assert_eq!(secrets.reads().len(), 2, "at start, and after the refusal");
}
