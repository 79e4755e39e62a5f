//! Where a login comes from.

use shared::access::{Access, AccessSettings, SourceError};
use shared::config::{Reader, Secret};
use testkit::aws::SecretsServer;

use crate::{LOGIN, login, reader, settings, source};

#[tokio::test]
async fn a_secret_is_read_once() {
    let server = SecretsServer::start().await;
    server.put(LOGIN, &login("usher", " #?%@:/\"\\ "));
    let source = source(&server).await.expect("opened");
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
    let (redis, access) = settings(&reader(&server, &[("REDIS_GATE_USER", "reader")]));
    let access = Access::open(&access).await.expect("opened");
    let source = access.login(&redis).expect("opened").expect("a login");
    let login = source.login(false).await.expect("it exists");
    assert_eq!(login.user.as_deref(), Some("reader"));
    assert!(!format!("{login:?} {source:?} {redis:?} {access:?}").contains("hush"));
}

#[tokio::test]
async fn a_secret_of_another_form_is_an_error_with_its_setting() {
    let server = SecretsServer::start().await;
    for text in ["hush", r#"{"username":"usher"}"#, r#"["usher","hush"]"#] {
        server.put(LOGIN, text);
        let source = source(&server).await.expect("opened");
        let error = source.login(false).await.expect_err(text);
        assert!(matches!(error, SourceError::Content { .. }) && !error.is_transient());
        let shown = error.to_string();
        assert!(
            shown.contains("REDIS_GATE_SECRET_ARN") && shown.contains(LOGIN),
            "{shown}"
        );
        assert!(!shown.contains("hush"), "{shown}");
    }
}

#[tokio::test]
async fn a_missing_secret_ends_the_start_but_an_outage_does_not() {
    let server = SecretsServer::start().await;
    let (redis, settings) = settings(&reader(&server, &[]));
    let access = Access::open(&settings).await.expect("opened");
    let source = access.login(&redis).expect("opened").expect("a login");
    let error = access
        .read_logins([&source])
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
    let source = access.login(&redis).expect("opened").expect("a login");
    access.read_logins([&source]).await.expect("it may pass");
}

#[tokio::test]
async fn settings_without_secrets_need_no_region() {
    let given = [
        ("REDIS_GATE_URL", "redis://gate"),
        ("REDIS_GATE_USER", "usher"),
        ("REDIS_GATE_PASSWORD", "plain"),
    ];
    let (redis, settings) = settings(&Reader::new(given));
    assert!(settings.aws.is_none());
    let access = Access::open(&settings).await.expect("opened");
    let source = access.login(&redis).expect("opened").expect("a login");
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
        let (redis, settings) = settings(&reader);
        let access = Access::open(&settings).await.expect("opened");
        let source = access.login(&redis).expect("opened").expect("a login");
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
    let settings = reader
        .finish(|| AccessSettings::read(&reader, true))
        .expect("valid");
    let access = Access::open(&settings).await.expect("opened");
    let source = access.login(&database).expect("opened").expect("a login");
    let login = source.login(false).await.expect("signed");
    let password = login.password.expect("a token");
    assert!(
        password
            .expose()
            .starts_with("db.example:5432/?Action=connect&DBUser=writer&")
    );
}
