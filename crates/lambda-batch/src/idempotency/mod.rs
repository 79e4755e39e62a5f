//! An operation runs once per key, however often its record is delivered.

#[cfg(feature = "idempotency-postgres")]
mod postgres_store;
#[cfg(feature = "idempotency-redis")]
mod redis_store;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::HandlerError;

#[cfg(feature = "idempotency-postgres")]
pub use postgres_store::PostgresIdempotency;
#[cfg(feature = "idempotency-redis")]
pub use redis_store::RedisIdempotency;

/// Runs an operation once per key and keeps its result.
///
/// The first caller of a key leases it for [`Self::in_progress`], runs the operation and stores
/// the result for [`Self::keep`]. Until the result is stored, other callers of the key receive
/// [`IdempotencyError::InProgress`]; afterwards they receive the stored result. An operation that
/// returns an error releases the key. If its process dies, the lease ends by itself, and the next
/// caller runs the operation again: the operation runs at least once, and once unless a process
/// dies, a store fails, or an operation takes longer than its lease.
///
/// A key belongs to one payload: the same key with another payload is
/// [`IdempotencyError::PayloadDiffers`].
///
/// ```
/// # use std::collections::HashMap;
/// # use std::sync::Mutex;
/// # use std::time::Duration;
/// use lambda_batch::{Idempotency, IdempotencyLease, IdempotencyState, IdempotencyStore};
/// # /// A store in memory, which forgets nothing: for this example.
/// # #[derive(Default)]
/// # struct MemoryStore(Mutex<HashMap<String, Option<Vec<u8>>>>);
/// # impl IdempotencyStore for MemoryStore {
/// #     type Error = std::convert::Infallible;
/// #     async fn begin(&self, lease: &IdempotencyLease<'_>, _: Duration) -> Result<IdempotencyState, Self::Error> {
/// #         let mut keys = self.0.lock().expect("no panic holds it");
/// #         Ok(match keys.get(lease.key) {
/// #             None => { keys.insert(lease.key.to_owned(), None); IdempotencyState::Leased }
/// #             Some(None) => IdempotencyState::InProgress,
/// #             Some(Some(result)) => IdempotencyState::Completed(result.clone()),
/// #         })
/// #     }
/// #     async fn complete(&self, lease: &IdempotencyLease<'_>, result: &[u8], _: Duration) -> Result<bool, Self::Error> {
/// #         self.0.lock().expect("no panic holds it").insert(lease.key.to_owned(), Some(result.to_vec()));
/// #         Ok(true)
/// #     }
/// #     async fn release(&self, lease: &IdempotencyLease<'_>) -> Result<(), Self::Error> {
/// #         self.0.lock().expect("no panic holds it").remove(lease.key);
/// #         Ok(())
/// #     }
/// # }
///
/// # futures::executor::block_on(async {
/// let idempotency = Idempotency::new(MemoryStore::default(), rand::random);
/// let charge = async || Ok::<_, std::io::Error>("receipt 7".to_owned());
/// let first = idempotency.run("order-42", b"100 EUR", charge).await.ok();
/// let again = idempotency.run("order-42", b"100 EUR", async || -> std::io::Result<String> {
///     unreachable!("the operation has been run")
/// });
/// assert_eq!(first, again.await.ok());
/// # });
/// ```
#[derive(Debug)]
pub struct Idempotency<S> {
    store: S,
    tokens: fn() -> u128,
    in_progress: Duration,
    keep: Duration,
}

/// The lease of a key by one caller.
#[derive(Debug, Clone, Copy)]
pub struct IdempotencyLease<'a> {
    /// The key.
    pub key: &'a str,
    /// Identifies the caller: a caller whose lease has ended and was taken by another one cannot
    /// store its result or release the key.
    pub token: u128,
    /// SHA-256 of the payload.
    pub payload: [u8; 32],
}

/// The state of a key when a caller requests its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotencyState {
    /// The caller has the lease now and runs the operation.
    Leased,
    /// Another caller has it.
    InProgress,
    /// The stored result.
    Completed(Vec<u8>),
    /// The key belongs to another payload.
    PayloadDiffers,
}

/// Where keys, leases and results are stored. Expiry is by the clock of the store's server.
pub trait IdempotencyStore {
    /// Why the store failed.
    type Error: Display;

    /// Leases the key for `lease_time` if it is free or expired, in one atomic step; else says
    /// what holds it.
    fn begin(
        &self,
        lease: &IdempotencyLease<'_>,
        lease_time: Duration,
    ) -> impl Future<Output = Result<IdempotencyState, Self::Error>> + Send;

    /// Stores the result for `keep`. False, and nothing is changed, if another caller has leased
    /// or completed the key.
    fn complete(
        &self,
        lease: &IdempotencyLease<'_>,
        result: &[u8],
        keep: Duration,
    ) -> impl Future<Output = Result<bool, Self::Error>> + Send;

    /// Frees the key if the caller still has the lease.
    fn release(
        &self,
        lease: &IdempotencyLease<'_>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdempotencyError<S, E> {
    /// Another caller runs the operation, or died less than a lease ago.
    #[error("the operation is in progress elsewhere")]
    InProgress,
    /// The key was used with another payload.
    #[error("the key was used with another payload")]
    PayloadDiffers,
    /// The operation took longer than its lease, and another caller has leased the key since.
    #[error("the operation took longer than its lease; another caller may have run it as well")]
    LeaseLost,
    /// The result is not JSON, or the stored one is of another type.
    #[error("the result cannot be stored or read: {0}")]
    Result(String),
    /// The store failed. If it failed after the operation, the operation runs again.
    #[error("the idempotency store failed: {0}")]
    Store(S),
    /// The operation failed; the key is free again.
    #[error("{0}")]
    Operation(E),
}

impl<S: IdempotencyStore> Idempotency<S> {
    /// Leases last a minute, results are kept for an hour. `tokens` returns 128 random bits, e.g.
    /// `rand::random`.
    pub const fn new(store: S, tokens: fn() -> u128) -> Self {
        Self {
            store,
            tokens,
            in_progress: Duration::from_secs(60),
            keep: Duration::from_secs(3600),
        }
    }

    /// How long a key is leased. Longer than the operation takes: the function's timeout is a
    /// good value.
    #[must_use]
    pub const fn in_progress(mut self, lease_time: Duration) -> Self {
        self.in_progress = lease_time;
        self
    }

    /// How long a result is kept. Longer than the source may deliver a record again.
    #[must_use]
    pub const fn keep(mut self, time: Duration) -> Self {
        self.keep = time;
        self
    }

    /// The result of the operation for this key: by running it, or as an earlier call stored it.
    pub async fn run<T, E>(
        &self,
        key: &str,
        payload: &[u8],
        operation: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, IdempotencyError<S::Error, E>>
    where
        T: Serialize + DeserializeOwned,
    {
        let lease = IdempotencyLease {
            key,
            token: (self.tokens)(),
            payload: Sha256::digest(payload).into(),
        };
        let begun = self.store.begin(&lease, self.in_progress).await;
        match begun.map_err(IdempotencyError::Store)? {
            IdempotencyState::Leased => {}
            IdempotencyState::InProgress => return Err(IdempotencyError::InProgress),
            IdempotencyState::PayloadDiffers => return Err(IdempotencyError::PayloadDiffers),
            IdempotencyState::Completed(result) => return read(&result),
        }
        let result = match operation().await {
            Ok(result) => result,
            Err(error) => {
                if let Err(error) = self.store.release(&lease).await {
                    tracing::warn!(%error, key, "the key stays leased until its lease ends");
                }
                return Err(IdempotencyError::Operation(error));
            }
        };
        let stored = serde_json::to_vec(&result)
            .map_err(|error| IdempotencyError::Result(error.to_string()))?;
        let completed = self.store.complete(&lease, &stored, self.keep).await;
        if completed.map_err(IdempotencyError::Store)? {
            Ok(result)
        } else {
            Err(IdempotencyError::LeaseLost)
        }
    }
}

fn read<T: DeserializeOwned, S, E>(result: &[u8]) -> Result<T, IdempotencyError<S, E>> {
    strict_json::from_slice(result).map_err(|error| IdempotencyError::Result(error.to_string()))
}

/// A key with another payload and an unreadable result stay what they are: the record is parked.
/// Everything else passes: the record is delivered again.
impl<S: Display, E: Into<Self>> From<IdempotencyError<S, E>> for HandlerError {
    fn from(error: IdempotencyError<S, E>) -> Self {
        match error {
            IdempotencyError::Operation(error) => error.into(),
            IdempotencyError::PayloadDiffers => Self::park("the key was used with another payload"),
            IdempotencyError::Result(error) => Self::park(error),
            IdempotencyError::Store(error) => Self::retry(error),
            IdempotencyError::InProgress => Self::retry("in progress elsewhere"),
            IdempotencyError::LeaseLost => Self::retry("took longer than its lease"),
        }
    }
}
