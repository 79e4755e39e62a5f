//! Reads programs through the cache, as a long-lived instance does. For each program id on standard
//! input it prints the program's version and where it was found: `memory` or `loaded` (from Redis
//! or Postgres).
//!
//! ```text
//! ENV_PREFIX=demo REDIS_CACHE_URL=redis://127.0.0.1:16380 \
//!   DATABASE_URL=postgres://usher:usher@127.0.0.1:15432/usher \
//!   PROGRAM_CACHE_READER=true cargo run --example program_reader --features cache,postgres
//! ```
//!
//! Stop it (`kill -STOP`), change the program, resume it (`kill -CONT`): it prints the new version.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::cache::{CacheSettings, ProgramSource, follow};
use shared::config::Reader;
use shared::message::ProgramId;
use shared::sale::Program;
use shared::store::{Store, StoreError};

/// Postgres, and the number of reads.
struct Counting(Store, Arc<AtomicU64>);

impl ProgramSource for Counting {
    type Error = StoreError;

    async fn program(&self, id: ProgramId) -> Result<Option<Program>, StoreError> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.program(id).await
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let reader = Reader::from_env();
    let (names, database, cache) = reader.finish(|| {
        (
            reader.names(),
            reader.postgres_url("DATABASE_URL"),
            CacheSettings::read(&reader),
        )
    })?;

    let loads = Arc::new(AtomicU64::new(0));
    let source = Counting(Store::connect(database.as_str(), &names, 1)?, loads.clone());
    let link = cache.streams.link()?;
    let programs = cache.open(source, link.clone(), &names);
    if let Some(block) = cache.block() {
        tokio::spawn(follow(
            programs.local(),
            link,
            names.clone(),
            cache.streams.evicted.clone(),
            block,
        ));
    }

    // A thread reads standard input, so that the follower runs meanwhile.
    let (send, mut requests) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| send.send(line))
    });
    while let Some(line) = requests.recv().await {
        let before = loads.load(Ordering::Relaxed);
        let fresh = programs.local().is_fresh();
        let found = programs.find(line.trim().parse()?).await?;
        let from = if fresh && loads.load(Ordering::Relaxed) == before {
            "memory"
        } else {
            "loaded"
        };
        println!(
            "{} {from}",
            found.map_or(0, |program| program.version.get())
        );
    }
    Ok(())
}
