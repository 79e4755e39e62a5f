//! `usher template`: what it prints and what it hides.

use crate::cli::{TEMPLATE, text, usher};
use crate::support::project;

#[test]
fn template_shows_how_a_function_logs() {
    let folder = project(&TEMPLATE.replace(
        "      CodeUri",
        "      LoggingConfig: {LogFormat: JSON, LogGroup: shop/all}\n      CodeUri",
    ));
    let shown = text(&usher(folder.path(), &["template"], "").stdout);
    assert!(
        shown.contains("  log JSON, application INFO, system INFO, group shop/all\n"),
        "{shown}"
    );
}

#[test]
fn template_shows_everything_but_secrets() {
    let folder = project(TEMPLATE);
    let output = usher(folder.path(), &["template"], "");
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in [
        "function Echo",
        "SIZE=3",
        "KEY=(hidden)",
        "rate(5 minutes)",
        "/a/{b} -> Echo",
        "127.0.0.1:18080",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hush"));
}

#[test]
fn template_hides_what_looks_like_a_secret() {
    let variables = "STRIPE_APIKEY: hush-1, DSN: 'host=db user=u password=hush-2', DATABASE: \
        'host=db password=hush-3 dbname=d', URLS: 'redis://:hush-4@a:1,redis://:hush-5@b:2', \
        HEADER: 'Bearer hush-6-abcdefgh', PARTS: !Join ['-', [x, !Ref Key]], ENCODED: \
        {Fn::Base64: !Ref Key}, LIST: !Select [0, !Ref Keys]";
    let parameters =
        "Keys: {Type: CommaDelimitedList, Default: 'hush-7,hush-8', NoEcho: true}\nResources:";
    let template = TEMPLATE.replace("KEY: !Ref Key", variables).replacen(
        "Resources:",
        &format!("  {parameters}"),
        1,
    );
    let folder = project(&template);
    let output = usher(folder.path(), &["template"], "");
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(
        !shown.contains("hush") && !shown.contains("aHVza"),
        "{shown}"
    );
    for part in [
        "STRIPE_APIKEY=(hidden)",
        "DATABASE=host=db password=(hidden) dbname=d",
        "redis://(hidden)@b:2",
        "SIZE=3",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_noecho_value_is_in_no_message() {
    let bounds = [
        "Type: String, AllowedValues: [hush-allowed, other]",
        "Type: String, MinLength: 100",
        "Type: String, MaxLength: 2",
        "Type: String, AllowedPattern: '[0-9]+', ConstraintDescription: digits",
        "Type: Number",
        "Type: Number, MinValue: 3",
        "Type: CommaDelimitedList, AllowedValues: [other]",
    ];
    for bound in bounds {
        let key = format!("Key: {{{bound}, Default: hush-default, NoEcho: true}}");
        let template = TEMPLATE.replace(
            "Key: {Type: String, Default: hush-hush, NoEcho: true}",
            &key,
        );
        assert_ne!(template, TEMPLATE);
        let folder = project(&template);
        for arguments in [
            &["template"][..],
            &["up", "--parameter-overrides", "Key=hush-given"],
            &["doctor"],
        ] {
            let output = usher(folder.path(), arguments, "");
            let said = text(&[output.stdout, output.stderr].concat());
            assert!(
                said.contains("parameter Key has a value that is not shown"),
                "{bound} {arguments:?}: {said}"
            );
            assert!(!said.contains("hush"), "{bound} {arguments:?}: {said}");
        }
    }
    // a property that refers to it, and what is no override at all
    let referring = TEMPLATE.replace("CodeUri: built", "CodeUri: built\n      Timeout: !Ref Key");
    let folder = project(&referring);
    let long = format!("Key={}", "hush".repeat(40));
    for arguments in [
        &["up"][..],
        &["up", "--parameter-overrides", &long],
        &["up", "--parameter-overrides", "Si-ze=hush"],
        &["up", "--parameter-overrides", "hush"],
    ] {
        let output = usher(folder.path(), arguments, "");
        let said = text(&[output.stdout, output.stderr].concat());
        assert!(
            output.status.code() == Some(2) && !said.contains("hush"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn template_shows_filters_discards_and_logins() {
    let template = TEMPLATE.replace(
        "      Events:\n",
        "      Events:\n        Orders:\n          Type: SelfManagedKafka\n          Properties:\n            \
           Topics: [orders]\n            KafkaBootstrapServers: ['127.0.0.1:9094']\n            MaximumRecordAgeInSeconds: 60\n            \
           SourceAccessConfigurations: [{Type: SASL_SCRAM_512_AUTH, URI: login}]\n            \
           FilterCriteria: {Filters: [{Pattern: '{\"value\": [\"x\"]}'}]}\n            \
           DestinationConfig: {OnFailure: {Type: Kafka, Destination: 'kafka://failed'}}\n",
    );
    assert_ne!(template, TEMPLATE);
    let folder = project(&template);
    let settings = std::fs::read_to_string(folder.path().join("usher.toml")).unwrap_or_default();
    std::fs::write(
        folder.path().join("usher.toml"),
        settings + "\n[secrets]\nlogin = 'login.json'\n",
    )
    .unwrap();
    std::fs::write(
        folder.path().join("login.json"),
        r#"{"username": "alice", "password": "hush-too"}"#,
    )
    .unwrap();
    let output = usher(folder.path(), &["template"], "");
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for part in [
        r#"filter {"value": ["x"]}"#,
        "to the topic failed",
        "TLS, SCRAM-SHA-512 as alice",
        "older than 60 s",
        "retries 10",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("hush") && !text(&output.stderr).contains("hush"));
}
