//! The ids of the topics that this host has read with a group.
//!
//! Brokers delete the committed offsets of a topic together with the topic. A topic that is created
//! again under the same name then looks like one that the group has never read, and
//! `StartingPosition: LATEST` would skip its records. The state folder therefore has a file with
//! the ids for each mapping and group.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use event_sources::kafka::TopicIdentity;
use event_sources::stream::Offset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::lock::lock;
use crate::state;

/// Content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    mapping: String,
    group: String,
    /// By cluster id and topic name: the topic's id as 32 hexadecimal digits; null if the brokers
    /// have no ids.
    clusters: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

impl Content {
    /// The key of a cluster. An empty id (no response in time) means the only known cluster, if
    /// there is one: otherwise all topics would be new, and a recreated one would not be detected.
    fn cluster_key<'a>(&'a self, cluster: &'a str) -> &'a str {
        let mut known = self.clusters.keys();
        match (cluster, known.next(), known.next()) {
            ("", Some(only), None) => only,
            _ => cluster,
        }
    }
}

/// The topics of one mapping and group.
#[derive(Debug)]
pub(super) struct KnownTopics {
    /// `None`: in memory only.
    file: Option<PathBuf>,
    content: Mutex<Content>,
    /// Partitions whose position the brokers rejected although it is within the bounds of the log.
    rewritten: Mutex<BTreeSet<(String, i32)>>,
    /// The end of the deleted offsets that were counted.
    counted: Mutex<BTreeMap<(String, i32), Offset>>,
}

/// Why the file of topics cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KnownTopicsError {
    /// It cannot be read, or is damaged.
    #[error(
        "{}, which has the ids of the topics that were read, cannot be used ({error}). Remove it: \
         a topic that was deleted and created again since then is not detected",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// It cannot be written.
    #[error("{} cannot be written: {error}", file.display())]
    NotWritten {
        /// The file.
        file: PathBuf,
        /// The reason.
        #[source]
        error: io::Error,
    },
}

/// An id in the format of the file.
fn formatted(id: Option<u128>) -> Option<String> {
    id.map(|id| format!("{id:032x}"))
}

impl KnownTopics {
    /// Reads the file of an earlier run. `folder`: the state folder.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub(super) fn open(
        folder: Option<&Path>,
        mapping: &str,
        group: &str,
    ) -> Result<Self, KnownTopicsError> {
        let digest = Sha256::digest(format!("{mapping}\n{group}"));
        let file = folder
            .map(|folder| folder.join(format!("kafka-topics-{}.json", hex::encode(&digest[..8]))));
        let none = || Content {
            mapping: mapping.to_owned(),
            group: group.to_owned(),
            ..Content::default()
        };
        let content = match file.as_ref().map(std::fs::read) {
            None => Ok(none()),
            Some(Ok(bytes)) => strict_json::from_slice(&bytes).map_err(io::Error::from),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(none()),
            Some(Err(error)) => Err(error),
        };
        let content = content.map_err(|error| KnownTopicsError::Unreadable {
            file: file.clone().unwrap_or_default(),
            error,
        })?;
        Ok(Self {
            file,
            content: Mutex::new(content),
            rewritten: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    /// Partitions whose log was rewritten, until their start offset is determined.
    pub(super) fn rewritten(&self) -> MutexGuard<'_, BTreeSet<(String, i32)>> {
        lock(&self.rewritten)
    }

    /// Counts the offsets `first` to `last` as deleted before they were read. Returns how many are
    /// new.
    pub(super) fn count_deleted(
        &self,
        (topic, partition): (&str, i32),
        first: Offset,
        last: Offset,
    ) -> u64 {
        let mut counted = lock(&self.counted);
        let before = counted
            .entry((topic.to_owned(), partition))
            .or_insert(first);
        let new = last + 1 - first.max(*before);
        *before = (last + 1).max(*before);
        new.max(0) as u64
    }

    /// The partition has a new log.
    pub(super) fn reset_count(&self, topic: &str, partition: i32) {
        lock(&self.counted).remove(&(topic.to_owned(), partition));
    }

    /// Compares a topic's id with the stored one.
    pub(super) fn identity(&self, cluster: &str, topic: &str, id: Option<u128>) -> TopicIdentity {
        let content = lock(&self.content);
        match content
            .clusters
            .get(content.cluster_key(cluster))
            .and_then(|topics| topics.get(topic))
        {
            None => TopicIdentity::New,
            Some(known) if known.is_none() || id.is_none() => TopicIdentity::Unknown,
            Some(known) if *known == formatted(id) => TopicIdentity::Same,
            Some(_) => TopicIdentity::Replaced,
        }
    }

    /// Stores the id of a topic.
    ///
    /// # Errors
    /// The file cannot be written; the id is kept in memory.
    pub(super) fn store(
        &self,
        cluster: &str,
        topic: &str,
        id: Option<u128>,
    ) -> Result<(), KnownTopicsError> {
        let content = {
            let mut content = lock(&self.content);
            let cluster = content.cluster_key(cluster).to_owned();
            let known = content.clusters.entry(cluster).or_default();
            if known
                .insert(topic.to_owned(), formatted(id))
                .is_some_and(|before| before == formatted(id))
            {
                return Ok(());
            }
            content.clone()
        };
        let Some(file) = &self.file else {
            return Ok(());
        };
        state::replace(file, &content).map_err(|error| KnownTopicsError::NotWritten {
            file: file.clone(),
            error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recreated_topic_is_detected_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = |group| KnownTopics::open(Some(folder.path()), "PollerCommands", group).unwrap();
        let first = open("group");
        assert_eq!(
            first.identity("cluster", "orders", Some(7)),
            TopicIdentity::New
        );
        first.store("cluster", "orders", Some(7)).unwrap();
        let second = open("group");
        assert_eq!(
            second.identity("cluster", "orders", Some(7)),
            TopicIdentity::Same
        );
        assert_eq!(
            second.identity("cluster", "orders", Some(8)),
            TopicIdentity::Replaced
        );
        assert_eq!(
            second.identity("cluster", "orders", None),
            TopicIdentity::Unknown
        );
        assert_eq!(
            second.identity("another cluster", "orders", Some(8)),
            TopicIdentity::New
        );
        assert_eq!(
            open("another group").identity("cluster", "orders", Some(8)),
            TopicIdentity::New
        );
    }

    #[test]
    fn a_cluster_without_id_is_the_known_one() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownTopics::open(Some(folder.path()), "PollerCommands", "group").unwrap();
        known.store("cluster", "orders", Some(7)).unwrap();
        assert_eq!(known.identity("", "orders", Some(7)), TopicIdentity::Same);
        assert_eq!(
            known.identity("", "orders", Some(8)),
            TopicIdentity::Replaced
        );
        known.store("", "orders", Some(8)).unwrap();
        assert_eq!(
            known.identity("cluster", "orders", Some(8)),
            TopicIdentity::Same
        );
        known.store("another", "orders", Some(9)).unwrap();
        assert_eq!(
            known.identity("", "orders", Some(9)),
            TopicIdentity::New,
            "the cluster is ambiguous"
        );
    }

    #[test]
    fn a_deleted_offset_is_counted_once() {
        let known = KnownTopics::open(None, "PollerCommands", "group").unwrap();
        let count =
            |partition, first, last| known.count_deleted(("orders", partition), first, last);
        assert_eq!(
            [
                count(0, 5, 9),
                count(0, 5, 9),
                count(0, 7, 12),
                count(0, 20, 20)
            ],
            [5, 0, 3, 1]
        );
        assert_eq!(count(1, 5, 9), 5);
        known.reset_count("orders", 0);
        assert_eq!(count(0, 5, 9), 5);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = || KnownTopics::open(Some(folder.path()), "PollerCommands", "group");
        open().unwrap().store("cluster", "orders", None).unwrap();
        let file = std::fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        for damaged in [
            "",
            "[]",
            r#"{"mapping":"PollerCommands","group":"group","clusters":[]}"#,
        ] {
            std::fs::write(&file, damaged).unwrap();
            assert!(
                open().unwrap_err().to_string().contains("Remove it"),
                "{damaged}"
            );
        }
    }
}
