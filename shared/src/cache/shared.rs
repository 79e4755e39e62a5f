//! The cache that all instances share: one body a program in Redis, and the floor that keeps old ones out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{body, scripts};
use crate::message::{ProgramChanged, ProgramId};
use crate::naming::Names;
use crate::sale::Program;
use redis_link::{Call, Link, LinkError};

/// A reader that takes longer than this to load a program may not keep it.
const LEASE_MS: u64 = 10_000;
/// A server that did not answer is not asked again for so long: each request would wait for it.
const PAUSE: Duration = Duration::from_millis(500);

/// Programs in the cache Redis, by version. Cheap to clone.
///
/// A body is put only by who missed it, under the lease that the miss gave, and only if nothing newer is known. So whoever loaded an
/// old version before a change never puts it back: the floor refuses it, and if the server has lost its memory, it has lost the lease as
/// well. One that lost its last second only may have kept a body below a lost floor: it lives as long as any body may.
#[derive(Debug, Clone)]
pub struct SharedCache {
    link: Link,
    names: Names,
    rest: Arc<Rest>,
}

/// The right to put one body, given out by a miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease(String);

/// What the cache has of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// The program, or that there is none.
    Hit(Option<Program>),
    /// Nothing. What is loaded now may be put under this lease.
    Miss(Lease),
    /// Something that this program cannot read. It is left to those who can, and ends by its time to live.
    Unreadable,
}

/// What became of a body that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is kept.
    Stored,
    /// Something newer is known.
    Old,
    /// The lease is not good any more: it was given out before the server lost its memory, or too long ago.
    NoLease,
}

/// What raising a floor changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raised {
    /// The floor was lower before.
    pub rose: bool,
    /// An older body was dropped.
    pub dropped: bool,
}

impl SharedCache {
    /// Over a connection to the cache Redis.
    pub fn new(link: Link, names: Names) -> Self {
        Self {
            link,
            names,
            rest: Arc::default(),
        }
    }

    /// Looks for a program. `token`: random bits, for a lease of one's own.
    pub async fn get(&self, id: ProgramId, token: u128) -> Result<Looked, LinkError> {
        self.rest.check()?;
        let call = Call::new(&scripts::GET, &self.key(id))
            .arg(format!("{token:032x}"))
            .arg(LEASE_MS);
        let mut reply = self.rest.note(self.link.run(call).await)?;
        match reply.word()?.as_str() {
            "MISS" => Ok(Looked::Miss(Lease(reply.word()?))),
            "HIT" => {
                let version = reply.parse::<i64>()?;
                let text = reply.word()?;
                if version == 0 {
                    return Ok(Looked::Hit(None));
                }
                match body::decode(&text) {
                    Ok(program) if program.id == id && program.version.get() == version => {
                        Ok(Looked::Hit(Some(program)))
                    }
                    Ok(other) => {
                        tracing::error!(program = %id, kept = %other.id, version, "the cache holds another program than it says");
                        Ok(Looked::Unreadable)
                    }
                    Err(error) => {
                        tracing::warn!(program = %id, %error, "the cache holds a program that cannot be read");
                        Ok(Looked::Unreadable)
                    }
                }
            }
            other => Err(reply.unexpected(other)),
        }
    }

    /// Keeps what was loaded after a miss, a program or that there is none, for `ttl` at most.
    pub async fn put(
        &self,
        id: ProgramId,
        lease: &Lease,
        program: Option<&Program>,
        ttl: Duration,
    ) -> Result<Put, LinkError> {
        self.rest.check()?;
        let version = program.map_or(0, |program| program.version.get());
        let call = Call::new(&scripts::PUT, &self.key(id))
            .arg(&lease.0)
            .arg(version)
            .arg(program.map(body::encode).unwrap_or_default())
            .arg(ttl.as_millis().max(1) as u64);
        let mut reply = self.rest.note(self.link.run(call).await)?;
        match reply.word()?.as_str() {
            "STORED" => Ok(Put::Stored),
            "OLD" => Ok(Put::Old),
            "NOLEASE" => Ok(Put::NoLease),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Raises the program's floor and drops an older body. Idempotent; a lower version than known changes nothing.
    pub async fn raise(&self, change: ProgramChanged) -> Result<Raised, LinkError> {
        let call = Call::new(&scripts::RAISE, &self.key(change.id)).arg(change.version.get());
        let mut reply = self.link.run(call).await?;
        Ok(Raised {
            rose: reply.parse::<u8>()? == 1,
            dropped: reply.parse::<u8>()? == 1,
        })
    }

    fn key(&self, id: ProgramId) -> String {
        self.names.program_key(id, "floor")
    }
}

/// When the server was last found away.
#[derive(Debug, Default)]
struct Rest {
    since: Mutex<Option<Instant>>,
    told: AtomicBool,
}

impl Rest {
    fn check(&self) -> Result<(), LinkError> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        match since {
            Some(since) if since.elapsed() < PAUSE => Err(LinkError::Unavailable(
                "it did not answer a moment ago".into(),
            )),
            _ => Ok(()),
        }
    }

    fn note<T>(&self, result: Result<T, LinkError>) -> Result<T, LinkError> {
        let away = result.as_ref().err();
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = away.map(|_| Instant::now());
        // Once an outage, not once a request.
        match away {
            Some(error) if !self.told.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, "the cache is away; programs are read from Postgres");
            }
            None if self.told.swap(false, Ordering::Relaxed) => {
                tracing::info!("the cache answers again");
            }
            _ => {}
        }
        result
    }
}
