//! Reads a program from memory, else from the shared cache, else from Postgres.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::freshness::DualInstant;
use super::local_state::LocalState;
use super::rules::{ChangeFeed, LoadTicket, Stamp};
use super::shared::{PutLease, SharedCache, SharedLookup};
use crate::message::{ProgramChanged, ProgramId};
use crate::sale::Program;

/// How many loads one request begins at most, if changes supersede each.
const MAX_LOADS: u32 = 3;

/// The source of truth for programs.
pub trait ProgramSource: Send + Sync {
    /// Why a program cannot be read.
    type Error: Clone + Send + Sync + 'static;

    /// The committed program; `None` if there is none.
    fn program(
        &self,
        id: ProgramId,
    ) -> impl Future<Output = Result<Option<Program>, Self::Error>> + Send;
}

impl<T: ProgramSource> ProgramSource for Arc<T> {
    type Error = T::Error;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, Self::Error> {
        T::program(self, id).await
    }
}

#[cfg(feature = "postgres")]
impl ProgramSource for crate::store::Store {
    type Error = crate::store::StoreError;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, Self::Error> {
        Self::program(self, id).await
    }
}

/// Bounds of the caches, independent of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Maximum number of programs in memory.
    pub entries: u64,
    /// Time to live of a program in memory.
    pub ttl: Duration,
    /// Time to live of a program in the shared cache.
    pub shared_ttl: Duration,
    /// Time to live of "there is no such program", in both.
    pub absent_ttl: Duration,
}

/// A program, or that there is none.
pub type Found = Option<Arc<Program>>;

/// The caches of one process.
///
/// - Concurrent misses share one load, but a request never gets a load that began before the
///   request, unless memory may be served anyway.
/// - Without Redis, requests read Postgres; concurrent ones share the read.
pub struct ProgramCache<T: ProgramSource> {
    source: T,
    shared: SharedCache,
    local: Arc<LocalState>,
    memory: Cache<ProgramId, Loaded<T::Error>>,
    retention: Retention,
}

#[derive(Clone)]
struct Loaded<E> {
    found: Result<Found, E>,
    stamp: Stamp,
}

impl<T: ProgramSource> ProgramCache<T> {
    /// `feed` states whether a [`super::follow`] runs for this cache.
    pub fn new(source: T, shared: SharedCache, feed: ChangeFeed, retention: Retention) -> Self {
        let memory = Cache::builder()
            .max_capacity(retention.entries)
            .time_to_live(retention.ttl)
            .build();
        Self {
            source,
            shared,
            local: Arc::new(LocalState::new(feed)),
            memory,
            retention,
        }
    }

    /// The state that the follower updates.
    pub fn local(&self) -> Arc<LocalState> {
        self.local.clone()
    }

    /// The shared cache.
    pub fn shared(&self) -> &SharedCache {
        &self.shared
    }

    /// Reads a program.
    pub async fn find(&self, id: ProgramId) -> Result<Found, T::Error> {
        let requested = DualInstant::now();
        if let Some(kept) = self.memory.get(&id).await
            && self.may_serve(id, &kept)
        {
            return kept.found;
        }
        // On the heap, since it is large and few requests need it.
        Box::pin(self.load_or_join(id, requested)).await
    }

    /// Joins a load that serves a request of time `requested`, or begins one.
    async fn load_or_join(&self, id: ProgramId, requested: DualInstant) -> Result<Found, T::Error> {
        loop {
            let entry = self.memory.entry(id);
            let loaded = entry
                .or_insert_with_if(self.load(id), |kept| !self.serves(id, kept, requested))
                .await
                .into_value();
            // A shared load may have begun before this request: then join or begin another.
            if self.serves(id, &loaded, requested) {
                return loaded.found;
            }
        }
    }

    /// Reads the committed program, past all caches: for callers that need it, or have a newer
    /// version than the caches.
    pub async fn find_committed(&self, id: ProgramId) -> Result<Found, T::Error> {
        let found = self.source.program(id).await?.map(Arc::new);
        if let Some(program) = &found {
            self.local.rules().raise(ProgramChanged {
                id,
                version: program.version,
            });
        }
        Ok(found)
    }

    /// This process has committed a change: it and all readers of the shared cache serve no older
    /// version from now on. Other instances receive the change through the streams, and so does the
    /// shared cache if Redis is down now.
    pub async fn changed(&self, change: ProgramChanged) {
        self.local.rules().raise(change);
        if let Err(error) = self.shared.raise(change).await {
            tracing::warn!(
                program = %change.id,
                %error,
                "the floor in the cache was not raised; the invalidator raises it later"
            );
        }
    }

    /// Whether a load serves a request of time `requested`. One that began since does; an older one
    /// may precede a change that the caller has seen.
    fn serves(&self, id: ProgramId, loaded: &Loaded<T::Error>, requested: DualInstant) -> bool {
        loaded.stamp.ticket.began.is_not_before(requested) || self.may_serve(id, loaded)
    }

    fn may_serve(&self, id: ProgramId, loaded: &Loaded<T::Error>) -> bool {
        let ttl = match &loaded.found {
            Ok(Some(_)) => self.retention.ttl,
            Ok(None) => self.retention.absent_ttl.min(self.retention.ttl),
            Err(_) => return false,
        };
        self.local
            .rules()
            .may_serve(id, &loaded.stamp, ttl, DualInstant::now())
    }

    /// Loads from the shared cache or from the source; again if a change supersedes the result.
    async fn load(&self, id: ProgramId) -> Loaded<T::Error> {
        let mut loads = 0;
        loop {
            loads += 1;
            let ticket = self.local.rules().ticket(DualInstant::now());
            // The change may not have reached the shared cache yet: read the source.
            let loaded = self.load_once(id, ticket, loads > 1).await;
            let superseded =
                loaded.found.is_ok() && self.local.rules().is_superseded(id, loaded.stamp.version);
            if !superseded || loads == MAX_LOADS {
                return loaded;
            }
        }
    }

    async fn load_once(
        &self,
        id: ProgramId,
        ticket: LoadTicket,
        skip_cache: bool,
    ) -> Loaded<T::Error> {
        let mut lease = None;
        if !skip_cache {
            match self.shared.get(id, rand::random()).await {
                Ok(SharedLookup::Hit(found)) => {
                    return Loaded::new(Ok(found.map(Arc::new)), ticket);
                }
                Ok(SharedLookup::Miss(given)) => lease = Some(given),
                // The shared cache logs these itself.
                Ok(SharedLookup::Unreadable) | Err(_) => {}
            }
        }
        let found = self.source.program(id).await;
        if let (Some(lease), Ok(found)) = (&lease, &found) {
            self.put(id, lease, found.as_ref()).await;
        }
        Loaded::new(found.map(|found| found.map(Arc::new)), ticket)
    }

    async fn put(&self, id: ProgramId, lease: &PutLease, program: Option<&Program>) {
        let ttl = if program.is_some() {
            self.retention.shared_ttl
        } else {
            self.retention.absent_ttl
        };
        match self.shared.put(id, lease, program, ttl).await {
            Ok(outcome) => tracing::debug!(program = %id, ?outcome, "stored in the shared cache"),
            Err(error) => tracing::debug!(program = %id, %error, "not stored in the shared cache"),
        }
    }
}

impl<E> Loaded<E> {
    fn new(found: Result<Found, E>, ticket: LoadTicket) -> Self {
        let version = found
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|program| program.version);
        Self {
            found,
            stamp: Stamp { version, ticket },
        }
    }
}
