//! Where a login comes from.

use shared::access::{Access, AccessSettings, Needed, SourceError};
use shared::config::{Reader, Secret};
use testkit::aws::SecretsServer;

use crate::{LOGIN, login, opened, reader, settings};

#[tokio::test]
async fn a_secret_is_read_once() {
    let server = SecretsServer::start().await;
    server.put(LOGIN, &login("usher", " #?%@:/\"\\ "));
    let source = opened(&reader(&server, &[])).await.expect("opened");
    for _ in 0..3 {
        let login = source.login(false).await.expect("it exists");
        assert_eq!(login.user.as_deref(), Some("usher"));
        assert_eq!(login.password, Some(Secret::new(" #?%@:/\"\\ ")));
    }
    assert_eq!(server.reads().len(), 1);
}

#[tokio::test]
async fn the_user_of_the_settings_replaces_that_of_the_secret() {
    let server = SecretsServer::start().await;
    server.put(LOGIN, r#"{"password":"hush"}"#);
    let (redis, settings) = settings(&reader(&server, &[("REDIS_GATE_USER", "reader")]));
    let access = Access::open(&settings).await.expect("opened");
    let source = access
        .login(&redis.login)
        .expect("opened")
        .expect("a login");
    let login = source.login(false).await.expect("it exists");
    assert_eq!(login.user.as_deref(), Some("reader"));
    let shown = format!("{login:?} {source:?} {redis:?} {access:?} {settings:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn a_secret_of_another_form_ends_the_start() {
    let server = SecretsServer::start().await;
    for text in ["hush", r#"{"username":"usher"}"#, r#"["usher","hush"]"#] {
        server.put(LOGIN, text);
        let error = opened(&reader(&server, &[])).await.expect_err(text);
        assert!(matches!(error, SourceError::Content { .. }) && !error.is_transient());
        let shown = error.to_string();
        let named = shown.contains("REDIS_GATE_SECRET_ARN") && shown.contains(LOGIN);
        assert!(named && !shown.contains("hush"), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_secret_ends_the_start_but_an_outage_does_not() {
    let server = SecretsServer::start().await;
    let error = opened(&reader(&server, &[]))
        .await
        .expect_err("no such secret");
    assert!(
        error.to_string().starts_with("REDIS_GATE_SECRET_ARN: "),
        "{error}"
    );

    for _ in 0..4 {
        server.fail(503, "", "");
    }
    server.put(LOGIN, &login("usher", "hush"));
    let source = opened(&reader(&server, &[])).await.expect("it may pass");
    // Limited in rate: the outcome of the start counts for a while.
    assert!(
        source
            .login(false)
            .await
            .is_err_and(|error| error.is_transient())
    );
    tokio::time::sleep(shared::access::PAUSE).await;
    let login = source.login(false).await.expect("the outage has ended");
    assert_eq!(login.password, Some(Secret::new("hush")));
}

#[tokio::test]
async fn settings_without_secrets_need_no_region() {
    let given = [
        ("REDIS_GATE_URL", "redis://gate"),
        ("REDIS_GATE_USER", "usher"),
        ("REDIS_GATE_PASSWORD", "plain"),
    ];
    let reader = Reader::new(given);
    assert!(!settings(&reader).1.uses_aws());
    let source = opened(&reader).await.expect("opened");
    let login = source.login(true).await.expect("fixed");
    assert_eq!(login.password, Some(Secret::new("plain")));
}

#[tokio::test]
async fn a_token_is_made_for_the_resource_and_the_user() {
    let arn = |resource: &str| format!("arn:aws:{resource}");
    for (resource, begin, signed_for) in [
        (
            arn("elasticache:eu-central-1:1:replicationgroup:gate"),
            "gate/?Action=connect&User=usher&",
            "elasticache",
        ),
        (
            arn("elasticache:eu-central-1:1:serverlesscache:gate"),
            "gate/?Action=connect&ResourceType=ServerlessCache&User=usher&",
            "elasticache",
        ),
        (
            arn("memorydb:eu-central-1:1:cluster/gate"),
            "gate/?Action=connect&User=usher&",
            "memorydb",
        ),
    ] {
        let reader = Reader::new([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("REDIS_GATE_URL", "rediss://gate.example:6379"),
            ("REDIS_GATE_AUTH", "iam"),
            ("REDIS_GATE_USER", "usher"),
            ("REDIS_GATE_ARN", resource.as_str()),
        ]);
        let source = opened(&reader).await.expect("opened");
        let login = source.login(false).await.expect("signed");
        let password = login.password.expect("a token");
        assert!(
            password.expose().starts_with(begin),
            "{}",
            password.expose()
        );
        assert!(
            password
                .expose()
                .contains(&format!("%2F{signed_for}%2Faws4_request"))
        );
    }
}

#[tokio::test]
async fn a_token_of_a_database_is_for_its_address() {
    let reader = Reader::new([
        ("AWS_DEFAULT_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("DATABASE_URL", "postgres://db.example/usher"),
        ("DATABASE_AUTH", "iam"),
        ("DATABASE_USER", "writer"),
    ]);
    let database = reader.postgres("DATABASE");
    let needed = Needed {
        logins: vec![database.login.clone()],
        ..Needed::default()
    };
    let settings = reader.finish(|| AccessSettings::read(&reader, needed));
    let access = Access::open(&settings.expect("valid"))
        .await
        .expect("opened");
    let source = access
        .login(&database.login)
        .expect("opened")
        .expect("a login");
    let login = source.login(false).await.expect("signed");
    let password = login.password.expect("a token");
    assert!(
        password
            .expose()
            .starts_with("db.example:5432/?Action=connect&DBUser=writer&")
    );
}
