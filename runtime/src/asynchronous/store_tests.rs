//! What was acknowledged stays, whatever happens to the disk.

use std::fs::OpenOptions;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, Database, DatabaseError, StorageBackend};

use super::super::disk::FILE;
use super::super::entry::Stage;
use super::*;

fn entry(name: &str) -> Entry {
    let stage = Stage::Waiting { failed: 0, delayed: 0, due: 0 };
    Entry { function: "F".into(), request_id: name.into(), trace_id: None, accepted: 0, invoked: 0, stage }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_the_file_is_opened_again_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let (store, found, thread) = Store::open(&state).unwrap();
    assert!(found.is_empty());
    let adds = (1..=50).map(|id| store.change(vec![Change::Add(id, entry(&id.to_string()), Bytes::from(id.to_string()))]));
    for added in futures::future::join_all(adds).await {
        added.unwrap();
    }
    let answered = Answered { error: None, body: "1".into() };
    let update = Change::Update(2, Entry { invoked: 3, ..entry("2") }, Some(answered.clone()));
    store.change(vec![Change::Remove(1), update]).await.unwrap();
    let busy = Store::open(&state).map(drop).unwrap_err();
    assert!(busy.contains("another usher runs this project") && busy.contains("--state"), "{busy}");
    for (path, mode) in [(state.clone(), 0o700), (state.join(FILE), 0o600)] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
    drop(store);
    thread.join().unwrap();

    let (store, found, _) = Store::open(&state).unwrap();
    assert_eq!(found.len(), 49);
    assert_eq!(found[0], (2, Entry { invoked: 3, ..entry("2") }));
    let stored = store.read(2).await.unwrap();
    assert_eq!((&stored.payload[..], stored.answered), (&b"2"[..], Some(answered)));
    assert!(store.read(1).await.is_err());
}

#[tokio::test]
async fn a_write_that_fails_is_told_and_the_next_one_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Arc::new(AtomicBool::new(false));
    let (store, _, thread) = Store::reaching(folder.path(), faulty(&broken)).unwrap();
    let add = |id: EventId| vec![Change::Add(id, entry(&id.to_string()), Bytes::from_static(b"1"))];
    store.change(add(1)).await.unwrap();
    broken.store(true, Ordering::SeqCst);
    let why = store.change(add(2)).await.unwrap_err();
    assert!(why.contains("no space"), "{why}");
    broken.store(false, Ordering::SeqCst);
    store.change(add(3)).await.unwrap();
    assert!(store.read(1).await.is_ok() && store.read(3).await.is_ok());
    drop(store);
    thread.join().unwrap();
    let (_, found, _) = Store::open(folder.path()).unwrap();
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 3]);
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
    // one byte after another of what every open reads, and a file that is none
    for at in (0..4096).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        std::fs::write(&file, &bad).unwrap();
        if let Err(why) = Store::open(folder.path()).map(|(store, _, thread)| {
            drop(store);
            thread.join()
        }) {
            seen += 1;
            assert!(why.contains("events.redb") && why.contains("move that file away"), "{why}");
        }
    }
    assert!(seen > 0, "nothing was damaged");
    std::fs::write(&file, b"no database").unwrap();
    assert!(Store::open(folder.path()).is_err());
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
    assert_eq!(std::fs::read_to_string(new.join(".gitignore")).unwrap(), "*\n");
}

/// A disk that is full while `broken`.
#[derive(Debug)]
struct Faulty {
    bytes: FileBackend,
    broken: Arc<AtomicBool>,
}

fn faulty(broken: &Arc<AtomicBool>) -> Reach {
    let broken = broken.clone();
    Box::new(move |file| {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(file);
        let bytes = FileBackend::new(options.map_err(|error| DatabaseError::Storage(error.into()))?)?;
        Database::builder().create_with_backend(Faulty { bytes, broken: broken.clone() })
    })
}

impl Faulty {
    fn check(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(io::Error::other("no space left on device")) } else { Ok(()) }
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
        self.check()?;
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.bytes.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        self.bytes.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.bytes.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.bytes.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
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
