//! Encrypted clusters from a template and usher.toml: logins, client certificates, and the errors
//! of wrong ones.

use std::time::Duration;

use sam_template::model::KafkaSecurity;
use sam_template::project::{Arguments, Project};
use sam_template::template;
use serde_json::json;
use tempfile::TempDir;
use testkit::kafka::PrivateKafka;
use usher::sources::kafka::probe;

use crate::kafka_fixture::{KafkaFixture, values};
use crate::template_fixture::function;

const PATIENCE: Duration = Duration::from_secs(20);

/// The resolved template with these access configurations. `secrets`: names and contents.
fn resolved(
    servers: &str,
    access: &[&str],
    secrets: &[(&str, serde_json::Value)],
) -> KafkaSecurity {
    let folder = TempDir::new().unwrap();
    let list: Vec<String> = access
        .iter()
        .map(|kind| format!("{{Type: {kind}, URI: 'arn:{kind}'}}"))
        .collect();
    let event = format!(
        "Events: {{E: {{Type: SelfManagedKafka, Properties: {{Topics: [t], KafkaBootstrapServers: \
         ['{servers}'], SourceAccessConfigurations: [{}]}}}}}}",
        list.join(", ")
    );
    let mut settings = "[secrets]\n".to_owned();
    for (kind, content) in secrets {
        std::fs::write(folder.path().join(kind), content.to_string()).unwrap();
        settings.extend(["'arn:", kind, "' = '", kind, "'\n"]);
    }
    for (name, text) in [
        ("template.yaml", function(&event)),
        ("usher.toml", settings),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::create_dir(folder.path().join("worker")).unwrap();
    std::fs::write(
        folder.path().join("worker/Cargo.toml"),
        "[package]\nname = 'worker'\n",
    )
    .unwrap();
    let file = folder.path().join("template.yaml");
    let app = template::load(&file, &Project::load(&file, &Arguments::default()).unwrap()).unwrap();
    for (_, content) in secrets {
        let printed = format!("{:?} {:?}", app.kafka, app.warnings);
        for hidden in ["password", "privateKey"] {
            assert!(
                content[hidden]
                    .as_str()
                    .is_none_or(|text| !printed.contains(text)),
                "{hidden} is printed"
            );
        }
    }
    app.kafka[0].security.clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_certificates_work_or_are_named() {
    let kafka = PrivateKafka::secured();
    let [login_brokers, mutual_brokers] = kafka.secured_brokers();
    let ca = json!({ "certificate": kafka.pem("ca.pem") });
    let login = |password: &str| json!({ "username": "alice", "password": password });
    let own =
        json!({ "certificate": kafka.pem("alice.pem"), "privateKey": kafka.pem("alice.key") });
    let authority = "SERVER_ROOT_CA_CERTIFICATE";

    let mut fixture = KafkaFixture::at(kafka.brokers(), 1).await;
    let mut so_far = 0;
    for (kind, brokers, secret) in [
        ("SASL_SCRAM_512_AUTH", &login_brokers, login("alice-secret")),
        ("SASL_SCRAM_256_AUTH", &login_brokers, login("alice-secret")),
        ("BASIC_AUTH", &login_brokers, login("alice-secret")),
        ("CLIENT_CERTIFICATE_TLS_AUTH", &mutual_brokers, own.clone()),
    ] {
        fixture.mapping.security = resolved(
            brokers,
            &[kind, authority],
            &[(kind, secret), (authority, ca.clone())],
        );
        fixture.mapping.bootstrap_servers.clone_from(brokers);
        fixture.produce(0, &values(so_far..so_far + 3)).await;
        so_far += 3;
        let running = fixture.start();
        assert_eq!(
            fixture.eventually_seen(so_far).await.len(),
            so_far,
            "{kind}"
        );
        running.drain().await;
        assert_eq!(fixture.committed(0).await, Some(so_far as i64), "{kind}");
    }

    let scram = "SASL_SCRAM_512_AUTH";
    let mutual = "CLIENT_CERTIFICATE_TLS_AUTH";
    let ask = async |brokers: &String, security: KafkaSecurity| {
        let brokers = brokers.clone();
        tokio::task::spawn_blocking(move || probe(&brokers, &security, &[], PATIENCE))
            .await
            .unwrap()
            .unwrap_err()
            .to_string()
    };
    let wrong = resolved(
        &login_brokers,
        &[scram, authority],
        &[(scram, login("guess")), (authority, ca.clone())],
    );
    let said = ask(&login_brokers, wrong).await;
    assert!(
        said.contains("does not accept the login") && !said.contains("guess"),
        "{said}"
    );
    let stranger = json!({ "certificate": kafka.pem("alice.pem") });
    let wrong = resolved(
        &login_brokers,
        &[scram, authority],
        &[(scram, login("alice-secret")), (authority, stranger)],
    );
    let said = ask(&login_brokers, wrong).await;
    assert!(
        said.contains("do not trust each other") && said.contains(authority),
        "{said}"
    );
    let mismatched =
        json!({ "certificate": kafka.pem("alice.pem"), "privateKey": kafka.pem("broker.key") });
    let wrong = resolved(
        &mutual_brokers,
        &[mutual, authority],
        &[(mutual, mismatched), (authority, ca)],
    );
    let said = ask(&mutual_brokers, wrong).await;
    assert!(said.contains("usher.toml names"), "{said}");
}
