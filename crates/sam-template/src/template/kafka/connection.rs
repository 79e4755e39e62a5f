//! Brokers and credentials of a mapping.

use super::access;
use crate::document::Reader;
use crate::model::{KafkaKind, KafkaSecurity};
use crate::project::{Project, broker_list};

/// Brokers and credentials: from usher.toml, else from the template, whose brokers are `written`. A
/// broker on another machine must be allowed.
pub(super) fn read(
    reader: &Reader<'_>,
    id: &str,
    kind: &KafkaKind,
    written: &str,
    project: &Project,
) -> Option<(String, KafkaSecurity)> {
    let line = reader.node.line;
    let key = match kind {
        KafkaKind::Msk { arn } => arn,
        KafkaKind::SelfManaged => written,
    };
    let given = project.kafka.get(id).or_else(|| project.kafka.get(key));
    let (servers, security) = match (given, kind) {
        (Some(cluster), _) => {
            let security = access::read(&cluster.access);
            let wrong = |wrong| reader.error_on(line, &format!("usher.toml [kafka]: {wrong}."));
            let mut security = security.map_err(wrong).ok()?;
            security.tls |= cluster.iam.is_some();
            security.iam.clone_from(&cluster.iam);
            (cluster.servers.as_str(), security)
        }
        (None, KafkaKind::Msk { arn }) => {
            let message = format!(
                "only AWS has the addresses of an MSK cluster's brokers. Name the ones to use in \
                 usher.toml: [kafka] \"{arn}\" = \"127.0.0.1:9092\"."
            );
            reader.error_on(line, &message);
            return None;
        }
        (None, KafkaKind::SelfManaged) if written.is_empty() => {
            let message = format!(
                "{} names no brokers. Write KafkaBootstrapServers, or in usher.toml: [kafka] \
                 \"{id}\" = \"127.0.0.1:9092\".",
                reader.what
            );
            reader.problems.error(line, message);
            return None;
        }
        (None, KafkaKind::SelfManaged) => (written, access::of_template(reader, id, project)?),
    };
    match broker_list(servers, &project.allow_remote) {
        Ok(()) => Some((servers.to_owned(), security)),
        Err(wrong) => {
            reader.error_on(line, &wrong.to_string());
            None
        }
    }
}
