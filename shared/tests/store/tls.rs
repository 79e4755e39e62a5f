//! Connections over TLS, and logins that change while a store is in use. Each test has a Postgres
//! of its own, which refuses connections without TLS.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lambda_batch::{ErrorClass, NextStep};
use shared::naming::Names;
use shared::store::{
    ConnectError, Database, Login, LoginError, LoginRequest, LoginSource, Store, StoreError,
};
use testkit::private_postgres::PrivatePostgres;
use testkit::tls::Authority;

use crate::environment::look;

/// Every printable ASCII character.
fn password() -> String {
    (' '..='~').collect()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A server that demands TLS and a password, and the authority of its certificate.
async fn server() -> (PrivatePostgres, Authority) {
    let authority = Authority::new();
    let server = PrivatePostgres::start().await;
    server
        .serve_tls(&authority.server(), &authority.pem())
        .await;
    let password = quoted(&password());
    server
        .admin(&format!("ALTER ROLE usher PASSWORD {password}"))
        .await;
    server
        .allow("hostssl all all 127.0.0.1/32 scram-sha-256")
        .await;
    (server, authority)
}

fn login() -> Arc<Login> {
    Arc::new(Login {
        user: "usher".to_owned(),
        password: Some(password()),
    })
}

fn store(database: &Database) -> Store {
    let names = Names::new("tls").expect("a prefix");
    Store::open(database, &names, 1).expect("an address")
}

/// The error of a migration that cannot connect. It is reported with an alarm, unlike an outage.
async fn refused(database: &Database) -> StoreError {
    let error = store(database).migrate().await.expect_err("refused");
    let alarm = NextStep::RetryLater { alarm: true };
    assert_eq!(error.class.next_step(), alarm, "{error}");
    error
}

#[tokio::test]
async fn a_verified_server_is_used_over_tls() {
    let (server, authority) = server().await;
    for (host, mode) in [("127.0.0.1", "verify-full"), ("localhost", "require")] {
        let url = format!("postgres://{host}:{}/usher?sslmode={mode}", server.port());
        let database = Database::at(url).trusting(authority.pem()).login(login());
        let store = store(&database);
        store.migrate().await.expect("connected");
        look(&store).await.expect("the tables");
        let mut admin = server.connect("usher").await.expect("connected");
        let tls13 = "SELECT count(*) FROM pg_stat_ssl WHERE version = 'TLSv1.3'";
        let sessions: i64 = sqlx::query_scalar(tls13)
            .fetch_one(&mut admin)
            .await
            .expect("a number");
        assert!(sessions > 0, "{host}");
    }
}

#[tokio::test]
async fn a_refused_certificate_names_the_setting() {
    let (server, authority) = server().await;
    let url = format!("{}?sslmode=verify-full", server.url());
    let name = format!("127.0.0.1:{}", server.port());
    let trusting = Database::at(&url).trusting(authority.pem()).login(login());

    let unknown = refused(&Database::at(&url).login(login())).await;
    let server_name = name.clone();
    let expected = ConnectError::UnknownAuthority {
        server: server_name,
    };
    assert_eq!(unknown.connect.as_deref(), Some(&expected));
    let text = unknown.to_string();
    assert!(
        text.contains(&name) && text.contains("TLS_CA_FILE"),
        "{text}"
    );

    let other = authority.server_with_other_name();
    server.serve_tls(&other, &authority.pem()).await;
    let wrong = refused(&trusting).await;
    assert!(
        matches!(
            wrong.connect.as_deref(),
            Some(ConnectError::WrongName { .. })
        ),
        "{wrong}"
    );
    let text = wrong.to_string();
    assert!(
        text.contains("other.example") && text.contains("DATABASE_URL"),
        "{text}"
    );

    let expired = authority.expired_server();
    server.serve_tls(&expired, &authority.pem()).await;
    let expired = refused(&trusting).await;
    let server_name = name.clone();
    let expected = ConnectError::Expired {
        server: server_name,
    };
    assert_eq!(expired.connect.as_deref(), Some(&expected), "{expired}");
}

#[tokio::test]
async fn tls_on_one_side_only_is_no_outage() {
    let (server, authority) = server().await;
    let plain = Database::at(server.url()).login(login());
    let demanded = refused(&plain).await;
    assert_eq!(demanded.sqlstate.as_deref(), Some("28000"));
    let text = demanded.to_string();
    assert!(text.contains("sslmode=verify-full"), "{text}");

    server.admin("ALTER SYSTEM SET ssl = off").await;
    server.allow("host all all 127.0.0.1/32 trust").await;
    let url = format!("{}?sslmode=verify-full", server.url());
    let absent = refused(&Database::at(url).trusting(authority.pem()).login(login())).await;
    assert!(
        matches!(absent.connect.as_deref(), Some(ConnectError::NoTls { .. })),
        "{absent}"
    );
    assert!(absent.to_string().contains("sslmode=disable"), "{absent}");
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    let (server, authority) = server().await;
    let rule = "hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca";
    server.allow(rule).await;
    let url = format!("{}?sslmode=verify-full", server.url());
    let database = Database::at(url).trusting(authority.pem()).login(login());
    let without = refused(&database).await.to_string();
    assert!(without.contains("TLS_CERTIFICATE_FILE"), "{without}");

    let own = authority.client("usher");
    let accepted = database
        .clone()
        .presenting(own.certificate_pem(), own.key_pem());
    store(&accepted).migrate().await.expect("connected");

    let other = Authority::new();
    let strange = other.client("usher");
    let strange = database.presenting(strange.certificate_pem(), strange.key_pem());
    let strange = refused(&strange).await;
    assert!(
        matches!(
            strange.connect.as_deref(),
            Some(ConnectError::ClientCertificate { .. })
        ),
        "{strange}"
    );
}

/// A login that is read again after a refusal, as from a store of secrets.
#[derive(Debug)]
struct Rotated {
    now: Mutex<Login>,
    next: Login,
    refusals: AtomicUsize,
}

impl LoginSource for Rotated {
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<Login, LoginError>> {
        let mut now = self.now.lock().expect("no panic");
        if request == LoginRequest::Refused {
            self.refusals.fetch_add(1, Ordering::Relaxed);
            *now = self.next.clone();
        }
        ready(Ok(now.clone())).boxed()
    }
}

#[tokio::test]
async fn a_rotated_password_is_taken() {
    let (server, authority) = server().await;
    let next = Login {
        user: "usher".to_owned(),
        password: Some("the next one".to_owned()),
    };
    let source = Arc::new(Rotated {
        now: Mutex::new((*login()).clone()),
        next,
        refusals: AtomicUsize::new(0),
    });
    let url = format!("{}?sslmode=verify-full", server.url());
    let database = Database::at(url).trusting(authority.pem());
    let store = store(&database.login(source.clone()));
    store.migrate().await.expect("the first password");
    let rotate = "ALTER ROLE usher PASSWORD 'the next one';
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'usher'";
    server.admin(rotate).await;
    // The end of the session may be noticed by the first statement only.
    if let Err(error) = look(&store).await {
        assert_eq!(error.class, ErrorClass::Unavailable, "{error}");
    }
    look(&store).await.expect("the next password");
    assert_eq!(source.refusals.load(Ordering::Relaxed), 1);

    server.admin("ALTER ROLE usher PASSWORD 'another'").await;
    server
        .admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'usher'")
        .await;
    let _ = look(&store).await;
    let error = look(&store).await.expect_err("an unknown password");
    assert_eq!(error.sqlstate.as_deref(), Some("28P01"));
    assert!(error.to_string().contains("DATABASE_PASSWORD"), "{error}");
}

#[tokio::test]
async fn a_remote_server_needs_tls_by_default() {
    // A name that is resolved to this machine and is not known as one of it.
    let server = PrivatePostgres::start().await;
    let url = format!("postgres://usher@0.0.0.0:{}/usher", server.port());
    let error = refused(&Database::at(&url)).await;
    assert!(
        matches!(error.connect.as_deref(), Some(ConnectError::NoTls { .. })),
        "{error}"
    );
    let plain = Database::at(format!("{url}?sslmode=disable"));
    store(&plain).migrate().await.expect("as configured");
}

#[test]
fn an_address_with_parameters_without_effect_is_refused() {
    let names = Names::new("tls").expect("a prefix");
    for parameter in [
        "sslmode=prefer",
        "sslrootcert=/x",
        "channel_binding=require",
    ] {
        let url = format!("postgres://usher:hush@db/usher?{parameter}");
        let refused = Store::connect(&url, &names, 1).map(drop);
        let refused = refused.expect_err(parameter).to_string();
        assert!(refused.contains("TLS_CA_FILE"), "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
}
