//! Caches under a prefix of their own, and a source that a test can change and block.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::{FromRedisValue, cmd};
use redis_link::Link;
use redis_streams::Bounds;
use shared::cache::{
    Announcer, ChangeFeed, LocalState, ProgramCache, ProgramSource, Retention, SharedCache, follow,
};
use shared::message::{Cents, ProgramChanged, ProgramId, ProgramVersion, Shard};
use shared::naming::Names;
use shared::sale::{NewCategory, NewProgram, Program};
pub(crate) use testkit::until;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

pub(crate) const EVICTED: &str = "program-evicted";
/// Longer than any test: only changes end what is stored.
pub(crate) const LONG: Duration = Duration::from_secs(3_600);
/// The deadline of every wait.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn cache_url() -> String {
    std::env::var("CACHE_URL").unwrap_or_else(|_| "redis://127.0.0.1:16380".into())
}

pub(crate) fn id(n: i64) -> ProgramId {
    ProgramId::new(n).expect("valid")
}

pub(crate) fn version(n: i64) -> ProgramVersion {
    ProgramVersion::new(n).expect("valid")
}

pub(crate) fn change(program: i64, to: i64) -> ProgramChanged {
    ProgramChanged {
        id: id(program),
        version: version(to),
    }
}

/// A program in its n-th version, which its title contains.
pub(crate) fn program(n: i64, at: i64) -> Program {
    let category = NewCategory {
        name: "All".into(),
        rows: 1,
        row_len: 10,
        price: Cents::new(at).expect("valid"),
    };
    let new = NewProgram::new(format!("version {at}"), vec![category], 900_000, 6).expect("valid");
    let stored = new.stored(id(n), Shard::new(3).expect("valid"));
    Program {
        version: version(at),
        ..stored
    }
}

pub(crate) struct TestEnvironment {
    pub(crate) names: Names,
    pub(crate) link: Link,
    url: String,
}

impl TestEnvironment {
    pub(crate) fn open() -> Self {
        Self::at(&cache_url(), Duration::from_secs(5))
    }

    pub(crate) fn at(url: &str, timeout: Duration) -> Self {
        let names =
            Names::new(&format!("t{:012x}", rand::random::<u64>() >> 16)).expect("a valid prefix");
        let link = Link::open(url, timeout).expect("a usable address");
        Self {
            names,
            link,
            url: url.to_owned(),
        }
    }

    pub(crate) fn shared(&self) -> SharedCache {
        SharedCache::new(self.link.clone(), self.names.clone())
    }

    pub(crate) fn evicted(&self) -> Announcer {
        Announcer::new(
            self.link.clone(),
            &self.names,
            EVICTED,
            Bounds::new(1_000, 100_000).expect("valid"),
        )
    }

    /// The caches of one instance.
    pub(crate) fn instance(
        &self,
        book: &Arc<Book>,
        feed: ChangeFeed,
    ) -> Arc<ProgramCache<Arc<Book>>> {
        let keep = Retention {
            entries: 100,
            ttl: LONG,
            shared_ttl: LONG,
            absent_ttl: LONG,
        };
        Arc::new(ProgramCache::new(book.clone(), self.shared(), feed, keep))
    }

    /// An instance with a follower whose position is fixed.
    pub(crate) async fn following(&self, book: &Arc<Book>) -> Following {
        let cache = self.instance(
            book,
            ChangeFeed::Follows {
                fresh_for: PATIENCE,
            },
        );
        let follower = self.follow(cache.local());
        until("the follower starts", async || cache.local().is_fresh()).await;
        Following { cache, follower }
    }

    pub(crate) fn follow(&self, local: Arc<LocalState>) -> JoinHandle<()> {
        let link = self.link.clone();
        let names = self.names.clone();
        tokio::spawn(follow(
            local,
            link,
            names,
            EVICTED.to_owned(),
            Duration::from_millis(500),
        ))
    }

    /// Applies a change as the invalidator does.
    pub(crate) async fn invalidate(&self, change: ProgramChanged) {
        self.shared().raise(change).await.expect("Redis runs");
        self.evicted()
            .announce(change, None)
            .await
            .expect("Redis runs");
    }

    pub(crate) fn key(&self, program: i64, rest: &str) -> String {
        self.names.program_key(id(program), rest)
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        self.run(&command).await
    }

    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn run<T: FromRedisValue>(&self, command: &redis::Cmd) -> T {
        let url = &self.url;
        testkit::redis::run(url, command)
            .unwrap_or_else(|e| panic!("at {url}: {e}; run `scripts/servers start cache`"))
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        if self.url != cache_url() {
            return;
        }
        let prefix = self.names.prefix();
        let cleaned = testkit::redis::remove_keys(&self.url, prefix);
        if let Err(error) = cleaned {
            eprintln!("keys of {prefix} are left behind: {error}");
        }
    }
}

pub(crate) struct Following {
    pub(crate) cache: Arc<ProgramCache<Arc<Book>>>,
    pub(crate) follower: JoinHandle<()>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

impl Following {
    /// The version that a read returns; 0 for no such program.
    pub(crate) async fn read(&self, program: i64) -> i64 {
        read(&self.cache, program).await
    }
}

pub(crate) async fn read(cache: &ProgramCache<Arc<Book>>, program: i64) -> i64 {
    let found = cache.find(id(program)).await.expect("the book can be read");
    found.map_or(0, |program| program.version.get())
}

/// A source of programs that counts reads and can block their results.
#[derive(Debug)]
pub(crate) struct Book {
    programs: Mutex<HashMap<i64, i64>>,
    asked: AtomicU32,
    open: Semaphore,
    held: AtomicU32,
}

impl Book {
    /// Programs by number and version.
    pub(crate) fn new(programs: &[(i64, i64)]) -> Arc<Self> {
        let programs = Mutex::new(programs.iter().copied().collect());
        Arc::new(Self {
            programs,
            asked: AtomicU32::new(0),
            open: Semaphore::new(Semaphore::MAX_PERMITS),
            held: AtomicU32::new(0),
        })
    }

    pub(crate) fn commit(&self, program: i64, to: i64) {
        self.programs.lock().expect("whole").insert(program, to);
    }

    pub(crate) fn reads(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// Blocks the results of later reads.
    pub(crate) fn hold(&self) {
        self.open.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(crate) fn release(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS);
    }

    /// Waits until so many results have been blocked in total.
    pub(crate) async fn held(&self, answers: u32) {
        while self.held.load(Ordering::SeqCst) < answers {
            yield_now().await;
        }
    }
}

impl ProgramSource for Book {
    type Error = String;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let committed = self.programs.lock().expect("whole").get(&id.get()).copied();
        if self.open.available_permits() == 0 {
            self.held.fetch_add(1, Ordering::SeqCst);
        }
        drop(self.open.acquire().await.map_err(|e| e.to_string())?);
        match committed {
            Some(-1) => Err("the source cannot be read".to_owned()),
            Some(at) => Ok(Some(program(id.get(), at))),
            None => Ok(None),
        }
    }
}
