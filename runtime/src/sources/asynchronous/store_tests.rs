//! Acknowledged events survive faults of the disk.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, Database, StorageBackend};

use super::disk::{FILE, OpenDatabase};
use super::store::*;
use bytes::Bytes;
use event_sources::asynchronous::{AcceptedEvent, EventId, EventStage};

fn entry(name: &str) -> AcceptedEvent {
    let stage = EventStage::Waiting {
        failed: 0,
        delayed: 0,
        due: 0,
    };
    AcceptedEvent {
        function: "F".into(),
        request_id: name.into(),
        trace_id: None,
        accepted: 0,
        invoked: 0,
        stage,
    }
}

#[tokio::test]
async fn acknowledged_events_survive_a_reopen_privately() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (store, found, thread) = EventStore::open(&state).unwrap();
    assert!(found.is_empty());
    let adds = (1..=50).map(|id| {
        store.change(vec![EventChange::Add(
            id,
            entry(&id.to_string()),
            Bytes::from(id.to_string()),
        )])
    });
    for added in futures::future::join_all(adds).await {
        added.unwrap();
    }
    let answered = Answered {
        error: None,
        body: "1".into(),
    };
    let update = EventChange::Update(
        2,
        AcceptedEvent {
            invoked: 3,
            ..entry("2")
        },
        Some(answered.clone()),
    );
    store
        .change(vec![EventChange::Remove(1), update])
        .await
        .unwrap();
    let busy = EventStore::open(&state).map(drop).unwrap_err().to_string();
    assert!(
        busy.contains("another usher runs this project") && busy.contains("--state"),
        "{busy}"
    );
    for (path, mode) in [(state.clone(), 0o700), (state.join(FILE), 0o600)] {
        assert_eq!(
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777,
            mode
        );
    }
    drop(store);
    thread.join().unwrap();

    let (store, found, _) = EventStore::open(&state).unwrap();
    assert_eq!(found.len(), 49);
    assert_eq!(
        found[0],
        (
            2,
            AcceptedEvent {
                invoked: 3,
                ..entry("2")
            }
        )
    );
    let stored = store.read(2).await.unwrap();
    assert_eq!(
        (&stored.payload[..], stored.answered),
        (&b"2"[..], Some(answered))
    );
    assert!(store.read(1).await.is_err());
}

/// Repeats a change until it succeeds: after a failure requests fail for a pause.
async fn taken(store: &EventStore, change: impl Fn() -> Vec<EventChange>) {
    for _ in 0..100 {
        if store.change(change()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no change is taken");
}

fn add(id: EventId) -> Vec<EventChange> {
    vec![EventChange::Add(
        id,
        entry(&id.to_string()),
        Bytes::from_static(b"1"),
    )]
}

#[tokio::test]
async fn a_full_disk_loses_no_acknowledged_change() {
    for fault in [Fault::Write, Fault::Sync] {
        let folder = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicU8::new(Fault::None as u8));
        let (store, _, thread) = EventStore::open_with(folder.path(), faulty(&broken)).unwrap();
        for id in [1, 2, 3] {
            store.change(add(id)).await.unwrap();
        }
        broken.store(fault as u8, Ordering::SeqCst);
        let why = store.change(add(4)).await.unwrap_err().to_string();
        assert!(why.contains("no space") && why.contains(FILE), "{why}");
        // two changes without a waiting caller: an ended event and an attempt
        drop(store.change(vec![EventChange::Remove(1)]));
        let answered = Answered {
            error: Some("no".into()),
            body: "1".into(),
        };
        drop(store.change(vec![EventChange::Update(
            2,
            AcceptedEvent {
                invoked: 1,
                ..entry("2")
            },
            Some(answered.clone()),
        )]));
        store
            .change(vec![EventChange::Update(
                2,
                AcceptedEvent {
                    invoked: 2,
                    ..entry("2")
                },
                None,
            )])
            .await
            .unwrap_err();
        broken.store(Fault::None as u8, Ordering::SeqCst);
        taken(&store, || add(5)).await;
        let stored = store.read(2).await.unwrap();
        assert_eq!(stored.answered, Some(answered));
        drop(store);
        thread.join().unwrap();
        let (_, found, _) = EventStore::open(folder.path()).unwrap();
        let found: Vec<(EventId, u32)> = found
            .into_iter()
            .map(|(id, entry)| (id, entry.invoked))
            .collect();
        assert_eq!(found, [(2, 2), (3, 0), (5, 0)], "{fault:?}");
    }
}

#[tokio::test]
async fn a_failing_disk_keeps_its_lock_and_identity() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let away = folder.path().join("away");
    let broken = Arc::new(AtomicU8::new(Fault::None as u8));
    let (store, _, _) = EventStore::open_with(folder.path(), faulty(&broken)).unwrap();
    broken.store(Fault::Write as u8, Ordering::SeqCst);
    store.change(add(1)).await.unwrap_err();
    let busy = EventStore::open(folder.path())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(busy.contains("another usher runs this project"), "{busy}");
    std::fs::rename(&file, &away).unwrap();
    broken.store(Fault::None as u8, Ordering::SeqCst);
    // during the pause requests fail with the last error
    let mut why = store.change(add(2)).await.unwrap_err().to_string();
    for _ in 0..100 {
        if !why.contains("no space") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        why = store.change(add(2)).await.unwrap_err().to_string();
    }
    assert!(why.contains("put it back") && !file.exists(), "{why}");
    std::fs::rename(&away, &file).unwrap();
    taken(&store, || add(3)).await;
}

#[test]
fn a_damaged_file_is_named_and_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let (store, _, thread) = EventStore::open(folder.path()).unwrap();
    drop(store);
    thread.join().unwrap();
    let good = std::fs::read(&file).unwrap();
    let mut seen = 0;
    // damages one byte after another of the region that every open reads
    for at in (0..4096).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        std::fs::write(&file, &bad).unwrap();
        match EventStore::open(folder.path()) {
            Ok((store, _, thread)) => {
                drop(store);
                thread.join().unwrap();
            }
            Err(why) => {
                let why = why.to_string();
                seen += 1;
                assert!(why.contains(FILE) && why.contains("--state"), "{why}");
            }
        }
    }
    assert!(seen > 0, "nothing was damaged");
    std::fs::write(&file, b"no database").unwrap();
    let why = EventStore::open(folder.path())
        .map(drop)
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("is damaged") && why.contains("gives up the events in it"),
        "{why}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"no database");
}

#[test]
fn an_existing_folder_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let ignore = folder.path().join(".gitignore");
    std::fs::write(&ignore, "target\n").unwrap();
    EventStore::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&ignore).unwrap(), "target\n");
    let new = folder.path().join("state");
    EventStore::open(&new).unwrap();
    assert_eq!(
        std::fs::read_to_string(new.join(".gitignore")).unwrap(),
        "*\n"
    );
}

/// Faults of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Write,
    /// Only the sync fails: the data may be written.
    Sync,
}

/// A disk that fails while `broken` is set.
#[derive(Debug)]
struct Faulty {
    bytes: FileBackend,
    broken: Arc<AtomicU8>,
}

fn faulty(broken: &Arc<AtomicU8>) -> OpenDatabase {
    let broken = broken.clone();
    Box::new(move |file, make| {
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(make)
            .truncate(false)
            .open(file);
        let bytes = FileBackend::new(options.map_err(redb::Error::Io)?)?;
        Ok(Database::builder().create_with_backend(Faulty {
            bytes,
            broken: broken.clone(),
        })?)
    })
}

impl Faulty {
    fn refuses(&self, fault: Fault) -> io::Result<()> {
        let refused = self.broken.load(Ordering::SeqCst) == fault as u8;
        if refused {
            Err(io::Error::other("no space left on device"))
        } else {
            Ok(())
        }
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.bytes.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.refuses(Fault::Write)?;
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.refuses(Fault::Sync)?;
        self.refuses(Fault::Write)?;
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.refuses(Fault::Write)?;
        self.bytes.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.bytes.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.bytes.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.bytes.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.bytes.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.bytes.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.bytes.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.bytes.query_lock_range(start, end)
    }
}
