//! `SourceAccessConfigurations`: credentials of a mapping's cluster, from local copies of secrets.

use serde::Deserialize;

use crate::document::Reader;
use crate::model::security::{ClientCertificate, KafkaSecurity, SaslLogin, SecretText};
use crate::project::{Project, SecretCopy};

/// JSON of the secret of a login.
const LOGIN: &str = r#"{"username": "..", "password": ".."}"#;

/// JSON of the secret of a client certificate.
const CERTIFICATE: &str =
    r#"{"certificate": "..", "privateKey": "..", "privateKeyPassword": ".."}"#;

/// JSON of the secret of each kind.
const KINDS: [(&str, &str); 5] = [
    ("BASIC_AUTH", LOGIN),
    ("SASL_SCRAM_256_AUTH", LOGIN),
    ("SASL_SCRAM_512_AUTH", LOGIN),
    ("CLIENT_CERTIFICATE_TLS_AUTH", CERTIFICATE),
    ("SERVER_ROOT_CA_CERTIFICATE", r#"{"certificate": ".."}"#),
];

/// Why credentials cannot be used. The text names the file, and contains nothing of the secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum AccessError {
    #[error(
        "{0} is no way to reach Kafka from here. There are {names}",
        names = KINDS.map(|(name, _)| name).join(", ")
    )]
    UnknownKind(String),
    #[error("{file}, the secret for {kind}, has no {field}. It holds JSON: {shape}")]
    Missing {
        file: String,
        kind: String,
        field: &'static str,
        shape: &'static str,
    },
    /// Only the line: the text of the parser's error quotes the secret.
    #[error("{file}, the secret for {kind}, is not JSON of texts (line {line}). Write {shape}")]
    NotJson {
        file: String,
        kind: String,
        line: usize,
        shape: &'static str,
    },
    #[error("{0} would be a second login. Keep one")]
    SecondLogin(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    username: Option<String>,
    password: Option<String>,
    certificate: Option<String>,
    private_key: Option<String>,
    private_key_password: Option<String>,
}

/// The template's credentials, each from its copy in usher.toml. `None`: a problem was reported.
pub(super) fn of_template(
    reader: &Reader<'_>,
    id: &str,
    project: &Project,
) -> Option<KafkaSecurity> {
    const KEY: &str = "SourceAccessConfigurations";
    let before = reader.problems.failures();
    let mut access = Vec::new();
    for item in reader.mappings(KEY, KEY) {
        item.only("Type URI");
        let remedy = "Write for example `{Type: SASL_SCRAM_512_AUTH, URI: !Ref Secret}`.";
        let (Some(kind), Some(uri)) = (item.required("Type", remedy), item.required("URI", remedy))
        else {
            continue;
        };
        if kind.starts_with("VPC_") {
            let message = format!("{kind} does nothing here: there is no VPC around this machine.");
            reader.warn_on(item.line("Type"), &message);
            continue;
        }
        if let Some(secret) = project.secrets.get(uri) {
            access.push((kind.to_owned(), secret.clone()));
        } else {
            let message = format!(
                "{kind} needs a secret of the cloud. Write the path of a copy into usher.toml: \
                 [secrets] \"{uri}\" = \"secret.json\"; or name a broker that can be reached \
                 without it: [kafka] \"{id}\" = \"127.0.0.1:9092\"."
            );
            reader.error_on(item.line("URI"), &message);
        }
    }
    if reader.problems.failures() != before {
        return None;
    }
    read(&access)
        .map_err(|wrong| reader.error(KEY, &format!("{wrong}.")))
        .ok()
}

/// Combines kinds and their secrets.
///
/// # Errors
/// The file and what is wrong with it, without its contents.
pub(super) fn read(access: &[(String, SecretCopy)]) -> Result<KafkaSecurity, AccessError> {
    let mut security = KafkaSecurity {
        tls: !access.is_empty(),
        ..KafkaSecurity::default()
    };
    for (kind, secret) in access {
        let Some((_, shape)) = KINDS.iter().find(|(name, _)| name == kind) else {
            return Err(AccessError::UnknownKind(kind.clone()));
        };
        let misses = |field| AccessError::Missing {
            file: secret.file.clone(),
            kind: kind.clone(),
            field,
            shape,
        };
        let content: Content =
            strict_json::from_str(secret.text.reveal()).map_err(|error| AccessError::NotJson {
                file: secret.file.clone(),
                kind: kind.clone(),
                line: error.line(),
                shape,
            })?;
        let pem = |text: Option<String>, marker: &str, what| {
            text.filter(|pem| pem.contains(marker))
                .ok_or_else(|| misses(what))
        };
        let certificate = || {
            let text = content.certificate.clone();
            pem(text, "-----BEGIN CERTIFICATE-----", "certificate (PEM)")
        };
        match kind.as_str() {
            "SERVER_ROOT_CA_CERTIFICATE" => security.ca = Some(certificate()?),
            "CLIENT_CERTIFICATE_TLS_AUTH" => {
                let key = content.private_key.clone();
                let key = pem(key, "PRIVATE KEY-----", "privateKey (PEM)")?;
                let password = content.private_key_password.filter(|text| !text.is_empty());
                security.certificate = Some(ClientCertificate {
                    certificate: certificate()?,
                    key: SecretText::new(key),
                    key_password: password.map(SecretText::new),
                });
            }
            login if security.login.is_some() => {
                return Err(AccessError::SecondLogin(login.to_owned()));
            }
            login => {
                let mechanism = match login {
                    "BASIC_AUTH" => "PLAIN",
                    "SASL_SCRAM_256_AUTH" => "SCRAM-SHA-256",
                    _ => "SCRAM-SHA-512",
                };
                let password = content.password.clone();
                security.login = Some(SaslLogin {
                    mechanism,
                    username: content.username.clone().ok_or_else(|| misses("username"))?,
                    password: SecretText::new(password.ok_or_else(|| misses("password"))?),
                });
            }
        }
    }
    Ok(security)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(kind: &str, text: &str) -> Result<KafkaSecurity, AccessError> {
        read(&[(
            kind.to_owned(),
            SecretCopy {
                file: "s.json".into(),
                text: SecretText::new(text),
            },
        )])
    }

    #[test]
    fn each_kind_reads_and_hides_its_secret() {
        let login = one(
            "SASL_SCRAM_512_AUTH",
            r#"{"username": "u", "password": "hush"}"#,
        )
        .unwrap();
        assert!(
            login.tls
                && login
                    .login
                    .as_ref()
                    .is_some_and(|login| login.mechanism == "SCRAM-SHA-512")
        );
        assert!(!format!("{login:?}").contains("hush"));
        assert_eq!(login.secrets().collect::<Vec<_>>(), ["hush"]);
        let pem = r#"{"certificate": "-----BEGIN CERTIFICATE-----x",
            "privateKey": "-----BEGIN PRIVATE KEY-----y", "privateKeyPassword": "p"}"#;
        let mutual = one("CLIENT_CERTIFICATE_TLS_AUTH", pem).unwrap();
        assert_eq!(mutual.secrets().count(), 2);
        assert!(one("SERVER_ROOT_CA_CERTIFICATE", pem).unwrap().ca.is_some());
    }

    #[test]
    fn an_invalid_secret_is_reported_without_its_contents() {
        for (kind, text, words) in [
            (
                "BASIC_AUTH",
                r#"{"username": "u", "passwort": "hush"}"#,
                "has no password",
            ),
            ("BASIC_AUTH", "hush", "is not JSON"),
            (
                "BASIC_AUTH",
                r#"["u", "hush", null, null, null]"#,
                "is not JSON",
            ),
            ("BASIC_AUTH", "[]", "is not JSON"),
            (
                "CLIENT_CERTIFICATE_TLS_AUTH",
                r#"{"certificate": "hush"}"#,
                "privateKey (PEM)",
            ),
            (
                "SERVER_ROOT_CA_CERTIFICATE",
                r#"{"certificate": "hush"}"#,
                "certificate (PEM)",
            ),
            ("VIRTUAL_HOST", "{}", "is no way to reach Kafka"),
        ] {
            let wrong = one(kind, text).unwrap_err();
            let wrong = wrong.to_string();
            assert!(wrong.contains(words) && !wrong.contains("hush"), "{wrong}");
        }
    }
}
