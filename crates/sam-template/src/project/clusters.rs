//! `[kafka]` and `[secrets]` of usher.toml: local clusters, and local copies of secrets.

use std::path::Path;

use super::Project;
use crate::document::{Entry, Problems, Reader};
use crate::model::security::SecretText;

/// A cluster to use instead of the template's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCluster {
    /// `host:port,...`
    pub servers: String,
    /// Credentials as in `SourceAccessConfigurations`: kind and secret. Empty: plaintext.
    pub access: Vec<(String, SecretCopy)>,
    /// Region of an MSK cluster whose logins are tokens of IAM.
    pub iam: Option<String>,
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
pub(super) fn read(reader: &Reader<'_>, folder: &Path, project: &mut Project) {
    for entry in reader.entries("secrets") {
        if let Some(file) = entry.value.text() {
            let secret = secret(file, folder, entry.line, reader.problems);
            let named = secret.map(|secret| (entry.key.clone(), secret));
            project.secrets.extend(named);
        } else {
            let message = format!(
                "[secrets] {} must be the path of a file with the secret's JSON.",
                entry.key
            );
            reader.problems.error(entry.line, message);
        }
    }
    for entry in reader.entries("kafka") {
        let cluster = cluster(entry, folder, reader.problems);
        let named = cluster.map(|cluster| (entry.key.clone(), cluster));
        project.kafka.extend(named);
    }
}

fn secret(file: &str, folder: &Path, line: usize, problems: &Problems) -> Option<SecretCopy> {
    let wrong = |error| {
        let message = format!("the secret's file {file} cannot be read: {error}.");
        problems.error(line, message);
    };
    let text = std::fs::read_to_string(folder.join(file))
        .map_err(wrong)
        .ok()?;
    Some(SecretCopy {
        file: file.to_owned(),
        text: SecretText::new(text),
    })
}

fn cluster(entry: &Entry, folder: &Path, problems: &Problems) -> Option<LocalCluster> {
    let mut access = Vec::new();
    if let Some(servers) = entry.value.texts() {
        let servers = servers.join(",");
        return Some(LocalCluster {
            servers,
            access,
            iam: None,
        });
    }
    let table = Reader::new(&entry.value, format!("[kafka] {}", entry.key), problems);
    if !table.has("servers") {
        let message = format!("{} is {}. {REMEDY}.", table.what, entry.value.describe());
        problems.error(entry.line, message);
        return None;
    }
    table.only("servers auth secret ca iam");
    if table.has("iam") && table.has("auth") {
        table.error("iam", "iam and auth are two logins. Keep one.");
        return None;
    }
    let servers = table.texts_or_one("servers").join(",");
    let mut take = |kind: &str, key: &str| {
        let secret = secret(table.text(key)?, folder, table.line(key), problems)?;
        access.push((kind.to_owned(), secret));
        Some(())
    };
    match (table.text("auth"), table.has("secret")) {
        (Some(kind), true) => take(kind, "secret")?,
        (None, false) => {}
        _ => {
            let message = format!("auth and secret belong together. {REMEDY}.");
            table.error_on(entry.line, &message);
            return None;
        }
    }
    if table.has("ca") {
        take("SERVER_ROOT_CA_CERTIFICATE", "ca")?;
    }
    let iam = table.text("iam").map(str::to_owned);
    let region = |region: &String| {
        let mut parts = region.split('-');
        parts.clone().count() >= 3
            && parts.all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    if table.has("iam") && !iam.as_ref().is_some_and(region) {
        table.error(
            "iam",
            "iam is the region of the cluster, such as \"eu-central-1\".",
        );
        return None;
    }
    Some(LocalCluster {
        servers,
        access,
        iam,
    })
}
