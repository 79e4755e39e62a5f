//! The way a program is read: from memory, else from the shared cache, else from Postgres.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;

use super::local::Local;
use super::moment::Moment;
use super::rules::{Hearing, Stamp, Ticket};
use super::shared::{Lease, Looked, SharedCache};
use crate::message::{ProgramChanged, ProgramId};
use crate::sale::Program;

/// Loadings that one request begins at most, should changes overtake each.
const LOADINGS: u32 = 3;

/// Where programs are true.
pub trait Truth: Send + Sync {
    /// Why a program cannot be read.
    type Error: Clone + Send + Sync + 'static;

    /// The program as it is committed now; nothing if there is none.
    fn program(
        &self,
        id: ProgramId,
    ) -> impl Future<Output = Result<Option<Program>, Self::Error>> + Send;
}

impl<T: Truth> Truth for Arc<T> {
    type Error = T::Error;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, Self::Error> {
        T::program(self, id).await
    }
}

#[cfg(feature = "postgres")]
impl Truth for crate::store::Store {
    type Error = crate::store::StoreError;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, Self::Error> {
        Self::program(self, id).await
    }
}

/// How much is kept, and how long, whatever is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Programs in memory at most.
    pub entries: u64,
    /// A program in memory.
    pub ttl: Duration,
    /// A program in the shared cache.
    pub shared_ttl: Duration,
    /// That there is no such program, in either.
    pub absent_ttl: Duration,
}

/// A program, or that there is none.
pub type Found = Option<Arc<Program>>;

/// The caches in front of the truth. One a process.
///
/// - Many who miss at once share one loading, but nobody is given one that began before they asked, unless memory may be served anyway.
/// - Redis being away is no error: then each request reads Postgres (together with those who ask at the same time).
pub struct ProgramCache<T: Truth> {
    truth: T,
    shared: SharedCache,
    local: Arc<Local>,
    memory: Cache<ProgramId, Loaded<T::Error>>,
    keep: Keep,
}

#[derive(Clone)]
struct Loaded<E> {
    found: Result<Found, E>,
    stamp: Stamp,
}

impl<T: Truth> ProgramCache<T> {
    /// Over a truth and a shared cache. `hearing` says whether a [`super::follow`] runs for it.
    pub fn new(truth: T, shared: SharedCache, hearing: Hearing, keep: Keep) -> Self {
        let memory = Cache::builder()
            .max_capacity(keep.entries)
            .time_to_live(keep.ttl)
            .build();
        Self {
            truth,
            shared,
            local: Arc::new(Local::new(hearing)),
            memory,
            keep,
        }
    }

    /// What this process knows, for its follower.
    pub fn local(&self) -> Arc<Local> {
        self.local.clone()
    }

    /// The shared cache.
    pub fn shared(&self) -> &SharedCache {
        &self.shared
    }

    /// A program by its identity.
    pub async fn find(&self, id: ProgramId) -> Result<Found, T::Error> {
        let asked = Moment::now();
        loop {
            let entry = self.memory.entry(id);
            let loaded = entry
                .or_insert_with_if(self.load(id), |kept| !self.answers(id, kept, asked))
                .await
                .into_value();
            // Joined, a loading may have begun before this was asked: then another is joined, or begun.
            if self.answers(id, &loaded, asked) {
                return loaded.found;
            }
        }
    }

    /// The program as it is committed now, past all caches: for who must know, or knows of a newer version than the caches have.
    pub async fn find_true(&self, id: ProgramId) -> Result<Found, T::Error> {
        let found = self.truth.program(id).await?.map(Arc::new);
        if let Some(program) = &found {
            self.local.raise(ProgramChanged {
                id,
                version: program.version,
            });
        }
        Ok(found)
    }

    /// This process has committed a change: it, and whoever reads the shared cache, serves nothing older from now on.
    ///
    /// Everybody else hears of it by way of the streams. If Redis is away, so does the shared cache.
    pub async fn changed(&self, change: ProgramChanged) {
        self.local.raise(change);
        if let Err(error) = self.shared.raise(change).await {
            tracing::warn!(program = %change.id, %error, "the floor in the cache is left to the invalidator");
        }
    }

    /// Whether this answers what was asked at `asked`. What was loaded since does, memory or not; what was loaded before may be from before
    /// a change that the asker knows of.
    fn answers(&self, id: ProgramId, loaded: &Loaded<T::Error>, asked: Moment) -> bool {
        loaded.stamp.ticket.began.is_not_before(asked) || self.may_serve(id, loaded)
    }

    fn may_serve(&self, id: ProgramId, loaded: &Loaded<T::Error>) -> bool {
        let ttl = match &loaded.found {
            Ok(Some(_)) => self.keep.ttl,
            Ok(None) => self.keep.absent_ttl.min(self.keep.ttl),
            Err(_) => return false,
        };
        self.local
            .rules()
            .may_serve(id, &loaded.stamp, ttl, Moment::now())
    }

    /// From the shared cache or from the truth; again, if news of a change overtook it.
    async fn load(&self, id: ProgramId) -> Loaded<T::Error> {
        let mut loadings = 0;
        loop {
            loadings += 1;
            let ticket = self.local.rules().ticket(Moment::now());
            // What overtook one loading may not have reached the shared cache.
            let loaded = self.load_once(id, ticket, loadings > 1).await;
            let gone = loaded.found.is_ok() && self.local.rules().is_gone(id, loaded.stamp.version);
            if !gone || loadings == LOADINGS {
                return loaded;
            }
        }
    }

    async fn load_once(
        &self,
        id: ProgramId,
        ticket: Ticket,
        past_the_cache: bool,
    ) -> Loaded<T::Error> {
        let mut lease = None;
        if !past_the_cache {
            match self.shared.get(id, rand::random()).await {
                Ok(Looked::Hit(found)) => return Loaded::new(Ok(found.map(Arc::new)), ticket),
                Ok(Looked::Miss(given)) => lease = Some(given),
                // Told by the shared cache itself; Postgres knows.
                Ok(Looked::Unreadable) | Err(_) => {}
            }
        }
        let found = self.truth.program(id).await;
        if let (Some(lease), Ok(found)) = (&lease, &found) {
            self.put(id, lease, found.as_ref()).await;
        }
        Loaded::new(found.map(|found| found.map(Arc::new)), ticket)
    }

    async fn put(&self, id: ProgramId, lease: &Lease, program: Option<&Program>) {
        let ttl = if program.is_some() {
            self.keep.shared_ttl
        } else {
            self.keep.absent_ttl
        };
        match self.shared.put(id, lease, program, ttl).await {
            Ok(outcome) => tracing::debug!(program = %id, ?outcome, "kept for others"),
            Err(error) => tracing::debug!(program = %id, %error, "not kept for others"),
        }
    }
}

impl<E> Loaded<E> {
    fn new(found: Result<Found, E>, ticket: Ticket) -> Self {
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
