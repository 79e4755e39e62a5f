//! What was acknowledged stays, whatever happens to the disk.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, Database, StorageBackend};

use super::super::disk::FILE;
use super::*;
use event_sources::asynchronous::EventStage;

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
async fn what_was_acknowledged_is_there_after_the_file_is_opened_again_and_nobody_else_may_read_it()
{
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (store, found, thread) = Store::open(&state).unwrap();
    assert!(found.is_empty());
    let adds = (1..=50).map(|id| {
        store.change(vec![Change::Add(
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
    let update = Change::Update(
        2,
        AcceptedEvent {
            invoked: 3,
            ..entry("2")
        },
        Some(answered.clone()),
    );
    store.change(vec![Change::Remove(1), update]).await.unwrap();
    let busy = Store::open(&state).map(drop).unwrap_err();
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

    let (store, found, _) = Store::open(&state).unwrap();
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

/// Waits until a change is taken: after a failure the file is left alone for a moment.
async fn taken(store: &Store, change: impl Fn() -> Vec<Change>) {
    for _ in 0..100 {
        if store.change(change()).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no change is taken");
}

fn add(id: EventId) -> Vec<Change> {
    vec![Change::Add(
        id,
        entry(&id.to_string()),
        Bytes::from_static(b"1"),
    )]
}

#[tokio::test]
async fn what_a_full_disk_refuses_is_not_there_and_what_it_owes_is_made_up_for() {
    for fault in [Fault::Write, Fault::Sync] {
        let folder = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicU8::new(Fault::None as u8));
        let (store, _, thread) = Store::reaching(folder.path(), faulty(&broken)).unwrap();
        for id in [1, 2, 3] {
            store.change(add(id)).await.unwrap();
        }
        broken.store(fault as u8, Ordering::SeqCst);
        let why = store.change(add(4)).await.unwrap_err();
        assert!(why.contains("no space") && why.contains(FILE), "{why}");
        // what nobody waits for: one event has ended, another has been tried
        drop(store.change(vec![Change::Remove(1)]));
        let answered = Answered {
            error: Some("no".into()),
            body: "1".into(),
        };
        drop(store.change(vec![Change::Update(
            2,
            AcceptedEvent {
                invoked: 1,
                ..entry("2")
            },
            Some(answered.clone()),
        )]));
        store
            .change(vec![Change::Update(
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
        let (_, found, _) = Store::open(folder.path()).unwrap();
        let found: Vec<(EventId, u32)> = found
            .into_iter()
            .map(|(id, entry)| (id, entry.invoked))
            .collect();
        assert_eq!(found, [(2, 2), (3, 0), (5, 0)], "{fault:?}");
    }
}

#[tokio::test]
async fn while_the_disk_fails_no_other_host_takes_the_events_and_no_other_file_takes_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let away = folder.path().join("away");
    let broken = Arc::new(AtomicU8::new(Fault::None as u8));
    let (store, _, _) = Store::reaching(folder.path(), faulty(&broken)).unwrap();
    broken.store(Fault::Write as u8, Ordering::SeqCst);
    store.change(add(1)).await.unwrap_err();
    let busy = Store::open(folder.path()).map(drop).unwrap_err();
    assert!(busy.contains("another usher runs this project"), "{busy}");
    std::fs::rename(&file, &away).unwrap();
    broken.store(Fault::None as u8, Ordering::SeqCst);
    // while the file is left alone, it is refused for the reason of before
    let mut why = store.change(add(2)).await.unwrap_err();
    for _ in 0..100 {
        if !why.contains("no space") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        why = store.change(add(2)).await.unwrap_err();
    }
    assert!(why.contains("put it back") && !file.exists(), "{why}");
    std::fs::rename(&away, &file).unwrap();
    taken(&store, || add(3)).await;
}

#[test]
fn a_damaged_file_is_named_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(FILE);
    let (store, _, thread) = Store::open(folder.path()).unwrap();
    drop(store);
    thread.join().unwrap();
    let good = std::fs::read(&file).unwrap();
    let mut seen = 0;
    // one byte after another of what every open reads
    for at in (0..4096).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        std::fs::write(&file, &bad).unwrap();
        match Store::open(folder.path()) {
            Ok((store, _, thread)) => {
                drop(store);
                thread.join().unwrap();
            }
            Err(why) => {
                seen += 1;
                assert!(why.contains(FILE) && why.contains("--state"), "{why}");
            }
        }
    }
    assert!(seen > 0, "nothing was damaged");
    std::fs::write(&file, b"no database").unwrap();
    let why = Store::open(folder.path()).map(drop).unwrap_err();
    assert!(
        why.contains("is damaged") && why.contains("gives up the events in it"),
        "{why}"
    );
    assert_eq!(std::fs::read(&file).unwrap(), b"no database");
}

#[test]
fn a_folder_that_was_there_keeps_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let ignore = folder.path().join(".gitignore");
    std::fs::write(&ignore, "target\n").unwrap();
    Store::open(folder.path()).unwrap();
    assert_eq!(std::fs::read_to_string(&ignore).unwrap(), "target\n");
    let new = folder.path().join("state");
    Store::open(&new).unwrap();
    assert_eq!(
        std::fs::read_to_string(new.join(".gitignore")).unwrap(),
        "*\n"
    );
}

/// What a disk refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Write,
    /// Only to make sure: what was written may be there.
    Sync,
}

/// A disk that is full while `broken`.
#[derive(Debug)]
struct Faulty {
    bytes: FileBackend,
    broken: Arc<AtomicU8>,
}

fn faulty(broken: &Arc<AtomicU8>) -> Reach {
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
