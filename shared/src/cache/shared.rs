//! The cache in Redis that all instances share: one body for each program, and a floor that refuses
//! old versions.

use std::sync::Arc;
use std::time::Duration;

use super::outage::OutageGuard;
use super::{body, scripts};
use crate::message::{ProgramChanged, ProgramId};
use crate::naming::Names;
use crate::sale::Program;
use redis_link::{Call, Link, LinkError};

/// A reader that takes longer to load a program must not store it.
const LEASE_MS: u64 = 10_000;
/// What follows from an outage, for the log.
const CONSEQUENCE: &str = "programs are read from Postgres";

/// Programs in the cache Redis, by version. Cheap to clone.
///
/// A body is stored only under the lease of a miss, and only if no newer version is known. So an
/// old version loaded before a change cannot be stored after it: the floor refuses it, and a server
/// that lost its data has lost the lease as well. A server that lost only its last second may keep
/// a body below a lost floor until its time to live ends.
#[derive(Debug, Clone)]
pub struct SharedCache {
    link: Link,
    names: Names,
    outage: Arc<OutageGuard>,
}

/// The right to store a body, granted by a miss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutLease(String);

/// The result of a lookup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedLookup {
    /// The program, or `None` if there is no such program.
    Hit(Option<Program>),
    /// Not cached. What the caller loads now may be stored under this lease.
    Miss(PutLease),
    /// A body that this version cannot parse. It stays for newer versions until its time to live
    /// ends.
    Unreadable,
}

/// The result of storing a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutResult {
    /// It is stored.
    Stored,
    /// A newer version is known.
    Old,
    /// The lease is invalid: the server has lost its data since, or the lease has ended.
    NoLease,
}

/// The result of raising a floor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raised {
    /// The floor was lower.
    pub rose: bool,
    /// An older body was dropped.
    pub dropped: bool,
}

impl SharedCache {
    /// The cache on this Redis.
    pub fn new(link: Link, names: Names) -> Self {
        Self {
            link,
            names,
            outage: Arc::new(OutageGuard::new(CONSEQUENCE)),
        }
    }

    /// Looks up a program. `token` is random, for a new lease.
    pub async fn get(&self, id: ProgramId, token: u128) -> Result<SharedLookup, LinkError> {
        self.outage.check()?;
        let call = Call::new(&scripts::GET, &self.key(id))
            .arg(format!("{token:032x}"))
            .arg(LEASE_MS);
        let mut reply = self.outage.note(self.link.run(call).await)?;
        match reply.word()?.as_str() {
            "MISS" => Ok(SharedLookup::Miss(PutLease(reply.word()?))),
            "HIT" => {
                let version = reply.parse::<i64>()?;
                let text = reply.word()?;
                if version == 0 {
                    return Ok(SharedLookup::Hit(None));
                }
                match body::decode(&text) {
                    Ok(program) if program.id == id && program.version.get() == version => {
                        Ok(SharedLookup::Hit(Some(program)))
                    }
                    Ok(other) => {
                        tracing::error!(
                            program = %id,
                            kept = %other.id,
                            version,
                            "a cached body belongs to another program or version; it is ignored"
                        );
                        Ok(SharedLookup::Unreadable)
                    }
                    Err(error) => {
                        tracing::warn!(
                            program = %id,
                            %error,
                            "a cached body cannot be parsed; it is ignored"
                        );
                        Ok(SharedLookup::Unreadable)
                    }
                }
            }
            other => Err(reply.unexpected(other)),
        }
    }

    /// Stores what was loaded after a miss, for `ttl` at most; `None`: there is no such program.
    pub async fn put(
        &self,
        id: ProgramId,
        lease: &PutLease,
        program: Option<&Program>,
        ttl: Duration,
    ) -> Result<PutResult, LinkError> {
        self.outage.check()?;
        let version = program.map_or(0, |program| program.version.get());
        let call = Call::new(&scripts::PUT, &self.key(id))
            .arg(&lease.0)
            .arg(version)
            .arg(program.map(body::encode).unwrap_or_default())
            .arg(ttl.as_millis().max(1) as u64);
        let mut reply = self.outage.note(self.link.run(call).await)?;
        match reply.word()?.as_str() {
            "STORED" => Ok(PutResult::Stored),
            "OLD" => Ok(PutResult::Old),
            "NOLEASE" => Ok(PutResult::NoLease),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Raises the program's floor and drops an older body. Idempotent; a lower version changes
    /// nothing.
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
