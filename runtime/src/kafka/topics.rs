//! Which topics this host has read with a group, by the id that the cluster gave each when it was created.
//!
//! Brokers delete the committed offsets of a topic with the topic. A topic of the same name that is created again then looks like one that
//! the group has never read, and `StartingPosition: LATEST` would skip its records. So the ids are kept in the state folder, one file for
//! each mapping and group.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use event_sources::kafka::TopicIdentity;
use event_sources::stream::Offset;

/// What the file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    mapping: String,
    group: String,
    /// By the cluster's id, then by the topic's name: the topic's id, 32 hexadecimal digits; null where the brokers give none.
    clusters: BTreeMap<String, BTreeMap<String, Option<String>>>,
}

impl Content {
    /// Under which name a cluster is kept. One whose id did not come in time is the only cluster that is known, if there is one: as
    /// another cluster its topics would all be new, and one that was created again would not be noticed.
    fn called<'a>(&'a self, cluster: &'a str) -> &'a str {
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
    /// `None`: known to this process only.
    file: Option<PathBuf>,
    content: Mutex<Content>,
    /// Partitions whose position the brokers refused although their log seems to have it.
    rewritten: Mutex<BTreeSet<(String, i32)>>,
    /// Deleted offsets before this one are counted already.
    counted: Mutex<BTreeMap<(String, i32), Offset>>,
}

/// An id in the form that the file has.
fn written(id: Option<u128>) -> Option<String> {
    id.map(|id| format!("{id:032x}"))
}

impl KnownTopics {
    /// Reads what an earlier run of this host left. `folder`: the state folder.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged: says what to do.
    pub(super) fn open(folder: Option<&Path>, mapping: &str, group: &str) -> Result<Self, String> {
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
            Some(Ok(bytes)) => strict_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => Ok(none()),
            Some(Err(error)) => Err(error.to_string()),
        };
        let content = content.map_err(|why| {
            let file = file.as_deref().unwrap_or(Path::new("")).display();
            format!("{file}, which holds the ids of the topics that were read, cannot be used ({why}). Remove it: a topic that was deleted \
                     and created again since then is not noticed")
        })?;
        Ok(Self {
            file,
            content: Mutex::new(content),
            rewritten: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions that were noted as rewritten, until they are settled.
    pub(super) fn rewritten(&self) -> MutexGuard<'_, BTreeSet<(String, i32)>> {
        self.rewritten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of the offsets `first` to `last`, which were deleted unread, were not counted before.
    pub(super) fn count_deleted(
        &self,
        (topic, partition): (&str, i32),
        first: Offset,
        last: Offset,
    ) -> u64 {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let before = counted
            .entry((topic.to_owned(), partition))
            .or_insert(first);
        let new = last + 1 - first.max(*before);
        *before = (last + 1).max(*before);
        new.max(0) as u64
    }

    /// The log of the partition is another one: nothing of it was counted.
    pub(super) fn begin_count(&self, topic: &str, partition: i32) {
        self.counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(topic.to_owned(), partition));
    }

    /// What a topic of this id is to this host.
    pub(super) fn identity(&self, cluster: &str, topic: &str, id: Option<u128>) -> TopicIdentity {
        let content = self.content();
        match content
            .clusters
            .get(content.called(cluster))
            .and_then(|topics| topics.get(topic))
        {
            None => TopicIdentity::New,
            Some(known) if known.is_none() || id.is_none() => TopicIdentity::Unknown,
            Some(known) if *known == written(id) => TopicIdentity::Same,
            Some(_) => TopicIdentity::Replaced,
        }
    }

    /// From now on the topic of this name is the one of this id.
    ///
    /// # Errors
    /// The file cannot be written. The topic is noted in this process all the same.
    pub(super) fn remember(
        &self,
        cluster: &str,
        topic: &str,
        id: Option<u128>,
    ) -> Result<(), String> {
        let content = {
            let mut content = self.content();
            let cluster = content.called(cluster).to_owned();
            let known = content.clusters.entry(cluster).or_default();
            if known
                .insert(topic.to_owned(), written(id))
                .is_some_and(|before| before == written(id))
            {
                return Ok(());
            }
            content.clone()
        };
        let Some(file) = &self.file else {
            return Ok(());
        };
        write(file, &content)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))
    }
}

/// Replaces the file as a whole, so that a crash leaves the old one or the new one.
fn write(file: &Path, content: &Content) -> io::Result<()> {
    let half = file.with_extension("new");
    let mut new = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&half)?;
    new.write_all(&serde_json::to_vec_pretty(content)?)?;
    new.sync_all()?;
    std::fs::rename(half, file)?;
    file.parent()
        .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_created_again_is_noticed_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = |group| KnownTopics::open(Some(folder.path()), "Orders", group).unwrap();
        let first = open("group");
        assert_eq!(
            first.identity("cluster", "orders", Some(7)),
            TopicIdentity::New
        );
        first.remember("cluster", "orders", Some(7)).unwrap();
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
    fn a_cluster_whose_id_does_not_come_is_the_known_one() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownTopics::open(Some(folder.path()), "Orders", "group").unwrap();
        known.remember("cluster", "orders", Some(7)).unwrap();
        assert_eq!(known.identity("", "orders", Some(7)), TopicIdentity::Same);
        assert_eq!(
            known.identity("", "orders", Some(8)),
            TopicIdentity::Replaced
        );
        known.remember("", "orders", Some(8)).unwrap();
        assert_eq!(
            known.identity("cluster", "orders", Some(8)),
            TopicIdentity::Same
        );
        known.remember("another", "orders", Some(9)).unwrap();
        assert_eq!(
            known.identity("", "orders", Some(9)),
            TopicIdentity::New,
            "of two it may be either"
        );
    }

    #[test]
    fn a_deleted_offset_is_counted_once() {
        let known = KnownTopics::open(None, "Orders", "group").unwrap();
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
        known.begin_count("orders", 0);
        assert_eq!(count(0, 5, 9), 5);
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let open = || KnownTopics::open(Some(folder.path()), "Orders", "group");
        open().unwrap().remember("cluster", "orders", None).unwrap();
        let file = std::fs::read_dir(folder.path())
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        for damaged in [
            "",
            "[]",
            r#"{"mapping":"Orders","group":"group","clusters":[]}"#,
        ] {
            std::fs::write(&file, damaged).unwrap();
            assert!(open().unwrap_err().contains("Remove it"), "{damaged}");
        }
    }
}
