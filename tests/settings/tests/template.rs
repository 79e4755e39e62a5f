//! Each function of `template.yaml` has the variables that it reads, and no others; with secrets, no
//! password among them.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;

use sam_template::model::Application;
use sam_template::project::{Arguments, Project};
use sam_template::template;
use shared::config::{Inventory, Reader};
use tempfile::TempDir;

const SECRETS: &[(&str, &str)] = &[
    (
        "DatabaseSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database",
    ),
    (
        "RedisGateSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:gate",
    ),
    (
        "RedisCacheSecretArn",
        "arn:aws:ssm:eu-central-1:123456789012:parameter/cache",
    ),
    ("KafkaSecurity", "sasl_ssl"),
    (
        "KafkaSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka",
    ),
    (
        "TlsCaSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ca",
    ),
    (
        "TlsCertificateSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:own",
    ),
    ("PaymentWebhookSecret", ""),
    (
        "PaymentWebhookSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pay",
    ),
    ("RefundUrl", "https://127.0.0.1/refunds"),
    (
        "RefundSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:refund",
    ),
    ("OtlpEndpoint", "https://127.0.0.1:4318"),
    ("TracesSampler", "traceidratio"),
    (
        "OtlpHeadersSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:otlp",
    ),
    ("DatabaseUrl", "postgres://127.0.0.1/usher"),
];
const TOKENS: &[(&str, &str)] = &[
    ("DatabaseAuth", "iam"),
    ("DatabaseUser", "writer"),
    ("DatabaseResourceId", "cluster-ABC"),
    ("MigrateDatabaseUser", "owner"),
    (
        "DatabaseUrl",
        "postgres://127.0.0.1/usher?sslmode=verify-full",
    ),
    ("RedisGateUrl", "rediss://127.0.0.1"),
    ("RedisGateAuth", "iam"),
    ("RedisGateUser", "gate"),
    (
        "RedisGateArn",
        "arn:aws:elasticache:eu-central-1:123456789012:serverlesscache:gate",
    ),
    ("RedisCacheUrl", "rediss://127.0.0.1"),
    ("RedisCacheAuth", "iam"),
    ("RedisCacheUser", "cache"),
    (
        "RedisCacheArn",
        "arn:aws:memorydb:eu-central-1:123456789012:cluster/cache",
    ),
    ("KafkaSecurity", "iam"),
    (
        "KafkaClusterArn",
        "arn:aws:kafka:eu-central-1:123456789012:cluster/sale/1",
    ),
    ("OtlpEndpoint", "http://127.0.0.1:4318"),
    ("OtlpHeaders", "authorization=Bearer"),
    ("PaymentWebhookSecretNext", "the-key-after-this"),
];
const PASSWORDS: &[(&str, &str)] = &[
    ("DatabaseUser", "writer"),
    ("DatabasePassword", "#?%@:/"),
    (
        "MigrateDatabaseSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:owner",
    ),
    ("DatabaseUrl", "postgres://127.0.0.1/usher"),
    ("RedisGateUser", "gate"),
    ("RedisGatePassword", "#?%@:/"),
    ("RedisCachePassword", "#?%@:/"),
    ("KafkaSecurity", "sasl_ssl"),
    ("KafkaUsername", "storefront"),
    ("KafkaPassword", "#?%@:/"),
    (
        "KafkaSecretArn",
        "arn:aws:secretsmanager:eu-central-1:123456789012:secret:kafka",
    ),
    ("TlsCaFile", "/ca.pem"),
    ("TlsCertificateFile", "/own.pem"),
    ("TlsKeyFile", "/own.key"),
];

/// What Lambda, or its host, sets for every function.
const OF_LAMBDA: [(&str, &str); 4] = [
    ("AWS_REGION", "eu-central-1"),
    ("AWS_ACCESS_KEY_ID", "AKID"),
    ("AWS_SECRET_ACCESS_KEY", "key"),
    ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
];

/// Read by the start of every function, before its settings.
const OF_START: [&str; 1] = ["LOG_LEVEL"];

/// The application with these parameters in place of those of usher.toml.
fn resolved(parameters: &[(&str, &str)]) -> Application {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = TempDir::new().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for name in ["Cargo.toml", "Cargo.lock", "functions", "crates", "shared"] {
        symlink(root.join(name), path(name)).expect("a link");
    }
    std::fs::copy(root.join("template.yaml"), path("template.yaml")).expect("a copy");
    let copy = r#"{"username":"u","password":"p","certificate":"-----BEGIN CERTIFICATE-----x",
        "privateKey":"-----BEGIN PRIVATE KEY-----y"}"#;
    std::fs::write(path("secret.json"), copy).expect("a file");
    let settings = std::fs::read_to_string(root.join("usher.toml")).expect("usher.toml");
    let own: Vec<String> = parameters
        .iter()
        .map(|(name, _)| format!("{name} = "))
        .collect();
    let kept = settings
        .lines()
        .filter(|line| !own.iter().any(|name| line.starts_with(name)));
    let mut text = String::new();
    for line in kept {
        text.extend([line, "\n"]);
        if line == "[parameters]" {
            for (name, value) in parameters {
                text.extend([name, " = '", value, "'\n"]);
            }
        }
    }
    text.push_str("\n[secrets]\n");
    for name in ["kafka", "ca", "own"] {
        let arn = format!("arn:aws:secretsmanager:eu-central-1:123456789012:secret:{name}");
        text.extend(["'", &arn, "' = 'secret.json'\n"]);
    }
    text.push_str(
        "[kafka]\n'arn:aws:kafka:eu-central-1:123456789012:cluster/sale/1' = '127.0.0.1:9092'\n",
    );
    std::fs::write(path("usher.toml"), text).expect("a file");
    let file = path("template.yaml");
    let project = Project::load(&file, &Arguments::default());
    project
        .and_then(|project| template::load(&file, &project))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// What a function reads with these variables, and the problems of their values.
fn read(function: &str, variables: &BTreeMap<String, String>) -> (Inventory, Option<String>) {
    let own = OF_LAMBDA.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given = variables
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()));
    let reader = Reader::new(given.chain(own));
    let problems = match function {
        "ApiDataCollector" => api_data_collector::Settings::read(&reader).err(),
        "CacheInvalidator" => cache_invalidator::Settings::read(&reader).err(),
        "Migrate" => migrate::Settings::read(&reader).err(),
        "OrderCreate" => order_create::Settings::read(&reader).err(),
        "StreamBridge" => stream_bridge::Settings::read(&reader).err(),
        "TimeoutCloser" => timeout_closer::Settings::read(&reader).err(),
        storefront if storefront.starts_with("Storefront") => {
            storefront::Settings::read(&reader).err()
        }
        other => panic!("{other} is a function without settings here"),
    };
    (
        reader.inventory(),
        problems.map(|problems| problems.to_string()),
    )
}

/// Parameters of logins without any, with secrets, tokens, and passwords.
const WAYS: [&[(&str, &str)]; 4] = [&[], SECRETS, TOKENS, PASSWORDS];

#[test]
fn each_function_reads_every_variable_that_it_has() {
    let applications = WAYS.map(resolved);
    for function in applications[0].functions.values() {
        let variables = applications.each_ref().map(|application| {
            let function = application.functions.get(&function.id);
            &function.expect("a function of every way").environment
        });
        let mut inventories = Vec::new();
        for variables in variables {
            let (inventory, problems) = read(&function.id, variables);
            assert_eq!(problems, None, "{}", function.id);
            inventories.push(inventory);
        }
        // Some variables are read beside others only, such as the sampler of traces.
        let is_read = |name: &str| inventories.iter().any(|read| read.get(name).is_some());
        for name in variables.iter().flat_map(|variables| variables.keys()) {
            // The host adds the endpoints of usher.toml.
            let of_others = OF_START.contains(&name.as_str()) || name.starts_with("AWS_");
            assert!(
                of_others || is_read(name),
                "{} has {name} and does not read it",
                function.id
            );
        }
    }
    assert!(applications[0].functions.len() >= 10);
}

#[test]
fn no_password_is_a_variable_where_secrets_have_them() {
    let hidden = [
        "_PASSWORD",
        "WEBHOOK_SECRET",
        "WEBHOOK_SECRET_NEXT",
        "REFUND_SECRET",
        "REFUND_SECRET_NEXT",
        "OTLP_HEADERS",
        "USERNAME",
    ];
    for function in resolved(SECRETS).functions.values() {
        for name in function.environment.keys() {
            assert!(
                !hidden.iter().any(|end| name.ends_with(end)),
                "{} has {name}",
                function.id
            );
        }
        let of_database = function.environment.contains_key("DATABASE_SECRET_ARN");
        let without = ["CacheInvalidator", "StreamBridge"].contains(&function.id.as_str());
        assert_eq!(of_database, !without, "{}", function.id);
    }
}
