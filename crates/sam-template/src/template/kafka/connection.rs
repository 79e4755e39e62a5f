//! Brokers and credentials of a mapping.

use super::access;
use crate::document::{Problems, Reader};
use crate::model::KafkaSecurity;
use crate::project::{Project, broker_list};

/// The cluster that the template names.
pub(super) enum KafkaSource {
    /// `KafkaBootstrapServers`, joined by commas.
    SelfManaged(String),
    /// ARN of an MSK cluster.
    Msk(String),
}

/// Brokers and credentials: from usher.toml, else from the template. A broker on another machine
/// must be allowed.
pub(super) fn read(
    reader: &Reader<'_>,
    id: &str,
    source: &KafkaSource,
    project: &Project,
    problems: &mut Problems,
) -> Option<(String, KafkaSecurity)> {
    let line = reader.node.line;
    let (key, written) = match source {
        KafkaSource::Msk(arn) => (arn.as_str(), ""),
        KafkaSource::SelfManaged(servers) => (id, servers.as_str()),
    };
    let given = project
        .kafka
        .get(id)
        .or_else(|| project.kafka.get(key))
        .or_else(|| project.kafka.get(written));
    let (servers, security) = match (given, source) {
        (Some(cluster), _) => {
            let security = access::read(&cluster.access);
            let wrong = |wrong| {
                problems.error(
                    line,
                    format!("{}: usher.toml [kafka]: {wrong}.", reader.what),
                );
            };
            (cluster.servers.as_str(), security.map_err(wrong).ok()?)
        }
        (None, KafkaSource::Msk(arn)) => {
            problems.error(
                line,
                format!(
                    "{}: only AWS has the addresses of an MSK cluster's brokers. Name the ones to \
                     use in usher.toml: [kafka] \"{arn}\" = \"127.0.0.1:9092\".",
                    reader.what
                ),
            );
            return None;
        }
        (None, KafkaSource::SelfManaged(_)) if written.is_empty() => {
            problems.error(
                line,
                format!(
                    "{} names no brokers. Write KafkaBootstrapServers, or in usher.toml: [kafka] \
                     \"{id}\" = \"127.0.0.1:9092\".",
                    reader.what
                ),
            );
            return None;
        }
        (None, KafkaSource::SelfManaged(_)) => {
            (written, access::of_template(reader, id, project, problems)?)
        }
    };
    match broker_list(servers, &project.allow_remote) {
        Ok(()) => Some((servers.to_owned(), security)),
        Err(wrong) => {
            problems.error(line, format!("{}: {wrong}", reader.what));
            None
        }
    }
}
