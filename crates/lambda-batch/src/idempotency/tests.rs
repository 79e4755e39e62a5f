//! The protocol of [`Idempotency`] over a store whose clock a test moves.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::executor::block_on;

use super::{Idempotency, IdempotencyError, IdempotencyLease, IdempotencyState, IdempotencyStore};
use crate::HandlerError;

#[derive(Debug, Clone)]
struct Entry {
    token: u128,
    payload: [u8; 32],
    result: Option<Vec<u8>>,
    ends: Duration,
}

#[derive(Debug, Default)]
struct MemoryStore {
    now_ms: AtomicU64,
    keys: Mutex<HashMap<String, Entry>>,
}

impl MemoryStore {
    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::Relaxed))
    }

    fn pass(&self, time: Duration) {
        self.now_ms
            .fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    fn live(&self, key: &str) -> Option<Entry> {
        let keys = self.keys.lock().expect("no panic holds it");
        keys.get(key)
            .filter(|entry| entry.ends > self.now())
            .cloned()
    }

    fn put(&self, lease: &IdempotencyLease<'_>, result: Option<Vec<u8>>, time: Duration) {
        let entry = Entry {
            token: lease.token,
            payload: lease.payload,
            result,
            ends: self.now() + time,
        };
        let mut keys = self.keys.lock().expect("no panic holds it");
        keys.insert(lease.key.to_owned(), entry);
    }
}

impl IdempotencyStore for &MemoryStore {
    type Error = &'static str;

    async fn begin(
        &self,
        lease: &IdempotencyLease<'_>,
        time: Duration,
    ) -> Result<IdempotencyState, &'static str> {
        Ok(match self.live(lease.key) {
            None => {
                self.put(lease, None, time);
                IdempotencyState::Leased
            }
            Some(entry) if entry.payload != lease.payload => IdempotencyState::PayloadDiffers,
            Some(Entry { result: None, .. }) => IdempotencyState::InProgress,
            Some(Entry {
                result: Some(result),
                ..
            }) => IdempotencyState::Completed(result),
        })
    }

    async fn complete(
        &self,
        lease: &IdempotencyLease<'_>,
        result: &[u8],
        time: Duration,
    ) -> Result<bool, &'static str> {
        let held = self.live(lease.key);
        let own = held.is_none_or(|held| held.token == lease.token && held.result.is_none());
        if own {
            self.put(lease, Some(result.to_vec()), time);
        }
        Ok(own)
    }

    async fn release(&self, lease: &IdempotencyLease<'_>) -> Result<(), &'static str> {
        if self
            .live(lease.key)
            .is_some_and(|held| held.token == lease.token)
        {
            self.keys
                .lock()
                .expect("no panic holds it")
                .remove(lease.key);
        }
        Ok(())
    }
}

type Run = Result<u32, IdempotencyError<&'static str, &'static str>>;

const LEASE: Duration = Duration::from_secs(60);

fn helper(store: &MemoryStore) -> Idempotency<&MemoryStore> {
    Idempotency::new(store, rand::random).in_progress(LEASE)
}

async fn attempt(store: &MemoryStore, payload: &str, result: Result<u32, &'static str>) -> Run {
    let operation = async || result;
    helper(store).run("k", payload.as_bytes(), operation).await
}

fn run(store: &MemoryStore, payload: &str, result: Result<u32, &'static str>) -> Run {
    block_on(attempt(store, payload, result))
}

#[test]
fn a_second_call_receives_the_stored_result() {
    let store = MemoryStore::default();
    assert_eq!(run(&store, "p", Ok(1)), Ok(1));
    assert_eq!(run(&store, "p", Ok(2)), Ok(1));
    store.pass(Duration::from_secs(3600));
    assert_eq!(run(&store, "p", Ok(3)), Ok(3), "the result has expired");
}

#[test]
fn a_failed_operation_frees_its_key() {
    let store = MemoryStore::default();
    assert_eq!(
        run(&store, "p", Err("no")),
        Err(IdempotencyError::Operation("no"))
    );
    assert_eq!(run(&store, "p", Ok(2)), Ok(2));
}

#[test]
fn another_payload_is_refused() {
    let store = MemoryStore::default();
    assert_eq!(run(&store, "p", Ok(1)), Ok(1));
    assert_eq!(
        run(&store, "q", Ok(2)),
        Err(IdempotencyError::PayloadDiffers)
    );
}

#[test]
fn a_call_during_the_operation_is_in_progress() {
    let store = MemoryStore::default();
    let outer = block_on(helper(&store).run("k", b"p", async || {
        let second = attempt(&store, "p", Ok(2)).await;
        assert_eq!(second, Err(IdempotencyError::InProgress));
        Ok::<u32, &str>(1)
    }));
    assert_eq!(outer, Ok(1));
}

#[test]
fn a_slow_first_call_cannot_overwrite() {
    let store = MemoryStore::default();
    let slow = block_on(helper(&store).run("k", b"p", async || {
        store.pass(LEASE);
        let second = attempt(&store, "p", Ok(2)).await;
        assert_eq!(second, Ok(2), "the lease has ended");
        Ok::<u32, &str>(1)
    }));
    assert_eq!(slow, Err(IdempotencyError::LeaseLost));
    assert_eq!(run(&store, "p", Ok(3)), Ok(2));
}

#[test]
fn a_slow_call_without_a_rival_is_stored() {
    let store = MemoryStore::default();
    let slow = block_on(helper(&store).run("k", b"p", async || {
        store.pass(LEASE);
        Ok::<u32, &str>(1)
    }));
    assert_eq!((slow, run(&store, "p", Ok(2))), (Ok(1), Ok(1)));
}

#[test]
fn a_stored_result_of_another_type_is_an_error() {
    let store = MemoryStore::default();
    assert_eq!(run(&store, "p", Ok(1)), Ok(1));
    let text = block_on(helper(&store).run("k", b"p", async || Ok::<String, &str>(String::new())));
    assert!(matches!(text, Err(IdempotencyError::Result(_))), "{text:?}");
}

#[test]
fn errors_say_whether_to_deliver_again() {
    type Error = IdempotencyError<&'static str, HandlerError>;
    for (error, retried) in [
        (Error::InProgress, true),
        (Error::LeaseLost, true),
        (Error::Store("away"), true),
        (Error::Operation(HandlerError::retry("later")), true),
        (Error::Operation(HandlerError::park("never")), false),
        (Error::PayloadDiffers, false),
        (Error::Result("not JSON".to_owned()), false),
    ] {
        let text = error.to_string();
        let retry = matches!(HandlerError::from(error), HandlerError::Retry(_));
        assert_eq!(retry, retried, "{text}");
    }
}
