//! `[kafka]` and `[secrets]` of usher.toml: local clusters, and local copies of secrets.

use std::path::Path;

use super::Project;
use crate::document::{Entry, Kind, Problems, Reader};
use crate::model::security::SecretText;

/// A cluster to use instead of the template's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCluster {
    /// `host:port,...`
    pub servers: String,
    /// Credentials as in `SourceAccessConfigurations`: kind and secret. Empty: plaintext.
    pub access: Vec<(String, SecretCopy)>,
}

/// A local copy of a secret of Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretCopy {
    /// File, as messages name it.
    pub file: String,
    /// JSON.
    pub text: SecretText,
}

const REMEDY: &str = "Write brokers as \"127.0.0.1:9092\", or a table: \
    { servers = \"127.0.0.1:9094\", auth = \"SASL_SCRAM_512_AUTH\", \
    secret = \"login.json\", ca = \"ca.json\" }; quote keys that hold a dot: \"A.B\"";

/// Reads both sections. Files are relative to `folder`.
pub(super) fn read(
    reader: &Reader<'_>,
    folder: &Path,
    project: &mut Project,
    problems: &mut Problems,
) {
    for entry in reader
        .child("secrets", problems)
        .iter()
        .flat_map(|section| section.node.entries())
    {
        let Some(file) = entry.value.text() else {
            problems.error(
                entry.line,
                format!(
                    "[secrets] {} must be the path of a file with the secret's JSON.",
                    entry.key
                ),
            );
            continue;
        };
        if let Some(secret) = secret(file, folder, entry.line, problems) {
            project.secrets.insert(entry.key.clone(), secret);
        }
    }
    for entry in reader
        .child("kafka", problems)
        .iter()
        .flat_map(|section| section.node.entries())
    {
        if let Some(cluster) = cluster(entry, folder, problems) {
            project.kafka.insert(entry.key.clone(), cluster);
        }
    }
}

fn secret(file: &str, folder: &Path, line: usize, problems: &mut Problems) -> Option<SecretCopy> {
    match std::fs::read_to_string(folder.join(file)) {
        Ok(text) => Some(SecretCopy {
            file: file.to_owned(),
            text: SecretText::new(text),
        }),
        Err(error) => {
            problems.error(
                line,
                format!("the secret's file {file} cannot be read: {error}."),
            );
            None
        }
    }
}

fn cluster(entry: &Entry, folder: &Path, problems: &mut Problems) -> Option<LocalCluster> {
    let open = |servers: String| {
        Some(LocalCluster {
            servers,
            access: Vec::new(),
        })
    };
    match &entry.value.kind {
        Kind::Scalar(servers) => open(servers.clone()),
        Kind::List(items) if items.iter().all(|item| item.text().is_some()) => open(
            items
                .iter()
                .filter_map(|item| item.text())
                .collect::<Vec<_>>()
                .join(","),
        ),
        Kind::Map(_) if entry.value.get("servers").is_some() => {
            let table = Reader::new(&entry.value, format!("[kafka] {}", entry.key));
            table.only(&["servers", "auth", "secret", "ca"], problems);
            let servers = table.texts_or_one("servers", problems).join(",");
            let mut access = Vec::new();
            let mut take = |kind: &str, key: &str, problems: &mut Problems| {
                let file = table.text(key, problems)?;
                access.push((
                    kind.to_owned(),
                    secret(file, folder, table.line(key), problems)?,
                ));
                Some(())
            };
            match (table.text("auth", problems), table.get("secret")) {
                (Some(kind), Some(_)) => take(kind, "secret", problems)?,
                (None, None) => {}
                _ => {
                    problems.error(
                        entry.line,
                        format!(
                            "[kafka] {}: auth and secret belong together. {REMEDY}.",
                            entry.key
                        ),
                    );
                    return None;
                }
            }
            if table.get("ca").is_some() {
                take("SERVER_ROOT_CA_CERTIFICATE", "ca", problems)?;
            }
            Some(LocalCluster { servers, access })
        }
        _ => {
            problems.error(
                entry.line,
                format!(
                    "[kafka] {} is {}. {REMEDY}.",
                    entry.key,
                    entry.value.describe()
                ),
            );
            None
        }
    }
}
