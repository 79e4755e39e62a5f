//! What happens to items at the function, and what did: the folder that `examples/echo/items.rs`
//! describes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use testkit::eventually;

/// What the function does with an item.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    /// It waits until the behaviour is removed. Also for all items of a source.
    Hold,
    /// It fails until the behaviour is removed. Also for all items of a source.
    Fail,
    FailOnce,
    /// It fails once, and so does what follows of its unit in the batch.
    StopOnce,
}

/// A line of the function's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Started,
    Done,
    Failed,
}

impl Phase {
    fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Items(PathBuf);

impl Items {
    pub(crate) fn at(folder: PathBuf) -> Self {
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    fn file(&self, of: &str, behaviour: Behaviour) -> PathBuf {
        let suffix = match behaviour {
            Behaviour::Hold => "hold",
            Behaviour::Fail => "fail",
            Behaviour::FailOnce => "fail-once",
            Behaviour::StopOnce => "stop-once",
        };
        self.0.join(format!("{of}.{suffix}"))
    }

    /// `of`: an item, or the name of a source.
    pub(crate) fn set(&self, of: &str, behaviour: Behaviour) {
        std::fs::write(self.file(of, behaviour), "").unwrap();
    }

    pub(crate) fn remove(&self, of: &str, behaviour: Behaviour) {
        std::fs::remove_file(self.file(of, behaviour)).unwrap();
    }

    /// The items that were in this phase, in order, each as often as it was.
    pub(crate) fn all(&self, phase: Phase) -> Vec<String> {
        let log = std::fs::read_to_string(self.0.join("log")).unwrap_or_default();
        let item = |line: &str| {
            let (word, item) = line.split_once(' ')?;
            (word == phase.word()).then(|| item.to_owned())
        };
        log.lines().filter_map(item).collect()
    }

    /// How often each item was in this phase.
    pub(crate) fn counts(&self, phase: Phase) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for item in self.all(phase) {
            *counts.entry(item).or_default() += 1;
        }
        counts
    }

    /// How often an item was in this phase.
    pub(crate) fn count(&self, phase: Phase, item: &str) -> usize {
        let all = self.all(phase);
        all.iter().filter(|found| *found == item).count()
    }

    /// The function began once with each of these items.
    pub(crate) fn each_began_once(&self, items: &[String]) {
        let counts = self.counts(Phase::Started);
        for item in items {
            assert_eq!(counts.get(item), Some(&1), "{item}");
        }
    }

    /// Whether every one of these items was in this phase.
    pub(crate) fn have(&self, phase: Phase, items: &[String]) -> bool {
        let all = self.counts(phase);
        items.iter().all(|item| all.contains_key(item))
    }

    /// Waits until every one of these items was in this phase.
    pub(crate) async fn eventually(&self, phase: Phase, items: &[String]) {
        eventually(&format!("all of {items:?} {phase:?}"), async || {
            self.have(phase, items).then_some(())
        })
        .await;
    }
}
