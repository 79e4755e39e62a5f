//! Idempotency keys in Redis: a hash per key, changed by Lua scripts.

use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{RedisError, Script, ScriptInvocation};

use super::{IdempotencyLease, IdempotencyState, IdempotencyStore};

/// Keeps idempotency keys in Redis, each under a prefix and with an expiry of its own.
///
/// Redis may lose a key (eviction, failover): the operation of that key may then run again. Use
/// `PostgresIdempotency` where that must not happen.
pub struct RedisIdempotency<C> {
    connection: C,
    prefix: String,
    begin: Script,
    complete: Script,
    release: Script,
}

impl<C: ConnectionLike + Clone + Send + Sync> RedisIdempotency<C> {
    /// `connection` is cloned for each call (a multiplexed connection or a connection manager).
    /// The name of each key in Redis begins with `prefix`.
    pub fn new(connection: C, prefix: impl Into<String>) -> Self {
        Self {
            connection,
            prefix: prefix.into(),
            begin: Script::new(include_str!("lua/begin.lua")),
            complete: Script::new(include_str!("lua/complete.lua")),
            release: Script::new(include_str!("lua/release.lua")),
        }
    }

    fn call<'s>(
        &self,
        script: &'s Script,
        lease: &IdempotencyLease<'_>,
    ) -> (C, ScriptInvocation<'s>) {
        let mut call = script.key(format!("{}{}", self.prefix, lease.key));
        call.arg(&lease.token.to_be_bytes()[..]);
        (self.connection.clone(), call)
    }
}

impl<C: ConnectionLike + Clone + Send + Sync> IdempotencyStore for RedisIdempotency<C> {
    type Error = RedisError;

    async fn begin(
        &self,
        lease: &IdempotencyLease<'_>,
        lease_time: Duration,
    ) -> Result<IdempotencyState, RedisError> {
        let (mut connection, mut call) = self.call(&self.begin, lease);
        call.arg(&lease.payload[..]).arg(milliseconds(lease_time));
        let mut answer: Vec<Vec<u8>> = call.invoke_async(&mut connection).await?;
        let result = (answer.len() > 1).then(|| answer.pop()).flatten();
        Ok(match (answer.first().map(Vec::as_slice), result) {
            (Some(b"leased"), _) => IdempotencyState::Leased,
            (Some(b"completed"), Some(result)) => IdempotencyState::Completed(result),
            (Some(b"payload_differs"), _) => IdempotencyState::PayloadDiffers,
            _ => IdempotencyState::InProgress,
        })
    }

    async fn complete(
        &self,
        lease: &IdempotencyLease<'_>,
        result: &[u8],
        keep: Duration,
    ) -> Result<bool, RedisError> {
        let (mut connection, mut call) = self.call(&self.complete, lease);
        call.arg(&lease.payload[..])
            .arg(result)
            .arg(milliseconds(keep));
        call.invoke_async(&mut connection).await
    }

    async fn release(&self, lease: &IdempotencyLease<'_>) -> Result<(), RedisError> {
        let (mut connection, call) = self.call(&self.release, lease);
        call.invoke_async::<i64>(&mut connection).await.map(drop)
    }
}

/// At least one: an expiry of zero would delete the key.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
