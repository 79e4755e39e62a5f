//! The ticket sale's own template, with every way to reach Kafka that its parameters offer.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;

use sam_template::model::{Application, Diagnostic, KafkaKind};
use sam_template::project::{Arguments, Project};
use sam_template::template;
use tempfile::TempDir;

const ACCOUNT: &str = "eu-central-1:123456789012";

/// The application with these parameters instead of usher.toml's `KafkaSecurity`, and local copies of
/// the secrets and of the cluster that they may name.
fn resolved(parameters: &[(&str, &str)]) -> Result<Application, Vec<Diagnostic>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["Cargo.toml", "Cargo.lock", "functions", "crates", "shared"] {
        symlink(root.join(name), path(name)).unwrap();
    }
    std::fs::copy(root.join("template.yaml"), path("template.yaml")).unwrap();
    let login = r#"{"username": "u", "password": "p"}"#;
    let certificate = r#"{"certificate": "-----BEGIN CERTIFICATE-----x",
        "privateKey": "-----BEGIN PRIVATE KEY-----y"}"#;
    std::fs::write(path("login.json"), login).unwrap();
    std::fs::write(path("certificate.json"), certificate).unwrap();
    let settings = std::fs::read_to_string(root.join("usher.toml")).unwrap();
    let mut given = "[parameters]\n".to_owned();
    for (name, value) in parameters {
        given.extend([name, " = '", &value.replace("ACCOUNT", ACCOUNT), "'\n"]);
    }
    let settings = settings
        .replace("KafkaSecurity = \"plaintext\"\n", "")
        .replace("[parameters]\n", &given);
    let copies = format!(
        "\n[secrets]\n'arn:aws:secretsmanager:{ACCOUNT}:secret:login' = 'login.json'\n\
         'arn:aws:secretsmanager:{ACCOUNT}:secret:ca' = 'certificate.json'\n\
         'arn:aws:secretsmanager:{ACCOUNT}:secret:certificate' = 'certificate.json'\n\
         [kafka]\n'arn:aws:kafka:{ACCOUNT}:cluster/sale/1' = '127.0.0.1:9092'\n"
    );
    std::fs::write(path("usher.toml"), settings + &copies).unwrap();
    let file = path("template.yaml");
    let project = Project::load(&file, &Arguments::default())?;
    template::load(&file, &project)
}

const LOGIN: (&str, &str) = (
    "KafkaSecretArn",
    "arn:aws:secretsmanager:ACCOUNT:secret:login",
);
const CA: (&str, &str) = ("TlsCaSecretArn", "arn:aws:secretsmanager:ACCOUNT:secret:ca");
const CERTIFICATE: (&str, &str) = (
    "TlsCertificateSecretArn",
    "arn:aws:secretsmanager:ACCOUNT:secret:certificate",
);
const CLUSTER: (&str, &str) = ("KafkaClusterArn", "arn:aws:kafka:ACCOUNT:cluster/sale/1");
const KEY: (&str, &str) = ("SecretsKeyArn", "arn:aws:kms:ACCOUNT:key/1");
const PLAINTEXT: (&str, &str) = ("KafkaSecurity", "plaintext");
const PROVIDER: (&str, &str) = (
    "CapacityProviderArn",
    "arn:aws:lambda:ACCOUNT:capacity-provider:sale",
);
const SASL: (&str, &str) = ("KafkaSecurity", "sasl_ssl");
const SSL: (&str, &str) = ("KafkaSecurity", "ssl");

/// Parameters; the mechanism, and whether the mapping has an authority and a certificate.
type Way<'a> = (&'a [(&'a str, &'a str)], Option<&'a str>, bool, bool);

#[test]
fn every_way_to_reach_kafka_resolves() {
    let mechanism = |name| ("KafkaSaslMechanism", name);
    let ways: [Way<'_>; 7] = [
        (&[("KafkaSecurity", "plaintext")], None, false, false),
        (&[SASL, LOGIN], Some("SCRAM-SHA-512"), false, false),
        (
            &[SASL, LOGIN, mechanism("SCRAM-SHA-256")],
            Some("SCRAM-SHA-256"),
            false,
            false,
        ),
        (
            &[SASL, LOGIN, CA, mechanism("PLAIN")],
            Some("PLAIN"),
            true,
            false,
        ),
        (&[SSL, CA], None, true, false),
        (&[SSL, CERTIFICATE], None, false, true),
        (&[SSL, CA, CERTIFICATE], None, true, true),
    ];
    for (parameters, login, ca, certificate) in ways {
        let app = resolved(parameters).unwrap();
        let mappings: Vec<&str> = app
            .kafka
            .iter()
            .map(|mapping| mapping.id.as_str())
            .collect();
        assert_eq!(mappings, ["OrderCreateOrders", "ApiDataCollectorCalls"]);
        for mapping in &app.kafka {
            let security = &mapping.security;
            let found = security.login.as_ref().map(|login| login.mechanism);
            assert_eq!(found, login, "{parameters:?}");
            assert_eq!(security.ca.is_some(), ca, "{parameters:?}");
            assert_eq!(
                security.certificate.is_some(),
                certificate,
                "{parameters:?}"
            );
        }
    }
}

#[test]
fn a_cluster_of_msk_is_read_at_its_local_address() {
    for parameters in [
        &[SASL, LOGIN, CLUSTER, KEY][..],
        &[SSL, CERTIFICATE, CLUSTER],
        &[("KafkaSecurity", "iam"), CLUSTER],
    ] {
        let app = resolved(parameters).unwrap();
        assert_eq!(app.kafka.len(), 2);
        for mapping in &app.kafka {
            assert!(matches!(mapping.kind, KafkaKind::Msk { .. }));
            assert_eq!(mapping.bootstrap_servers, "127.0.0.1:9092");
        }
    }
}

/// The functions on managed instances have an API of their own, and the mapping of orders invokes the
/// function that the parameter names first.
#[test]
fn variants_on_managed_instances_stand_in_for_functions() {
    let steps = [
        ("on-demand", &["Api"][..], "OrderCreate"),
        (
            "on-demand-and-managed",
            &["Api", "ManagedApi"],
            "OrderCreate",
        ),
        (
            "managed-and-on-demand",
            &["Api", "ManagedApi"],
            "OrderCreateManaged",
        ),
        ("managed", &["ManagedApi"], "OrderCreateManaged"),
    ];
    let mut requests = BTreeSet::new();
    for (kinds, apis, consumer) in steps {
        let compute = ["StorefrontCompute", "OrderCreateCompute"].map(|name| (name, kinds));
        let app = resolved(&[PLAINTEXT, PROVIDER, compute[0], compute[1]]).unwrap();
        let found: Vec<&str> = app.apis.iter().map(|api| api.id.as_str()).collect();
        assert_eq!(found, apis, "{kinds}");
        for api in &app.apis {
            let routes = api.routes.iter();
            let routes = routes.map(|route| (route.method.clone(), route.path.clone()));
            let routes: BTreeSet<_> = routes.collect();
            if requests.is_empty() {
                requests = routes.clone();
            }
            assert!(!routes.is_empty());
            assert_eq!(routes, requests, "{kinds}: {}", api.id);
            for route in &api.routes {
                let is_managed = route.function.ends_with("Managed");
                assert_eq!(is_managed, api.id == "ManagedApi", "{}", route.function);
            }
        }
        assert_eq!(app.kafka.len(), 2, "{kinds}: a mapping for each topic");
        assert_eq!(app.kafka[0].function, consumer, "{kinds}");
        for function in app.functions.values() {
            let Some(of) = function.id.strip_suffix("Managed") else {
                continue;
            };
            assert!(function.managed.is_some(), "{}", function.id);
            if let Some(on_demand) = app.functions.get(of) {
                assert_eq!(function.environment, on_demand.environment, "{of}");
            }
        }
        let variants = app.functions.keys().filter(|id| id.ends_with("Managed"));
        assert_eq!(variants.count(), if kinds == "on-demand" { 0 } else { 5 });
    }
}

#[test]
fn parameters_that_contradict_each_other_are_refused() {
    for (parameters, words) in [
        (&[SASL][..], "rule KafkaMappingsHaveLogin: "),
        (&[SASL, LOGIN, CLUSTER], "rule MskLogin: "),
        (&[("KafkaSecurity", "iam")], "rule KafkaTokensAreForMsk: "),
        (&[SSL, ("VpcSubnetA", "subnet-0a")], "rule NetworkIsWhole: "),
        (
            &[PLAINTEXT, ("StorefrontCompute", "managed")],
            "rule ManagedHasProvider: ",
        ),
    ] {
        let found = resolved(parameters).unwrap_err();
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            found.iter().any(|problem| problem.contains(words)),
            "{found:?}"
        );
    }
}
