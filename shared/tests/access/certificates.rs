//! Certificates from files and secrets.

use shared::access::{Access, AccessSettings, Needed, SourceError};
use shared::config::Reader;
use testkit::aws::SecretsServer;

const CA: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:ca-AbCdEf";
const OWN: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:own-AbCdEf";
const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async fn open(variables: Vec<(String, String)>) -> Result<Access, SourceError> {
    let reader = Reader::new(variables);
    let settings = reader.finish(|| AccessSettings::read(&reader, Needed::default()));
    Access::open(&settings.expect("valid settings")).await
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[tokio::test]
async fn certificates_of_secrets_are_read_at_start() {
    let server = SecretsServer::start().await;
    let json_pem = PEM.replace('\n', "\\n");
    server.put(
        OWN,
        &format!(r#"{{"certificate":"{json_pem}","privateKey":"key"}}"#),
    );
    for ca in [PEM.to_owned(), format!(r#"{{"certificate":"{json_pem}"}}"#)] {
        server.put(CA, &ca);
        let mut variables = server.variables().to_vec();
        variables.push(pair("TLS_CA_SECRET_ARN", CA));
        variables.push(pair("TLS_CERTIFICATE_SECRET_ARN", OWN));
        let access = open(variables).await.expect("opened");
        let certificates = access.certificates();
        assert_eq!(certificates.authorities, PEM.as_bytes());
        let own = certificates.identity.as_ref().expect("an identity");
        assert_eq!(
            (&own.certificate[..], &own.key[..]),
            (PEM.as_bytes(), &b"key"[..])
        );
    }
}

#[tokio::test]
async fn a_missing_file_is_named_with_its_setting() {
    let error = open(vec![pair("TLS_CA_FILE", "/nowhere/ca.pem")]).await;
    let error = error.expect_err("no file").to_string();
    assert!(
        error.starts_with("TLS_CA_FILE: the file /nowhere/ca.pem"),
        "{error}"
    );
}

#[tokio::test]
async fn a_secret_of_another_form_is_refused() {
    let server = SecretsServer::start().await;
    server.put(OWN, PEM);
    let mut variables = server.variables().to_vec();
    variables.push(pair("TLS_CERTIFICATE_SECRET_ARN", OWN));
    let error = open(variables).await.expect_err("no key").to_string();
    assert!(
        error.starts_with("TLS_CERTIFICATE_SECRET_ARN") && error.contains("privateKey"),
        "{error}"
    );
}
