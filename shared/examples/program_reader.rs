//! Reads programs as every long-lived instance does: a line with a program's id asks, a line with
//! its version answers, and says whether Postgres or Redis had to be asked (`memory`, or `loaded`).
//!
//! ```text
//! ENV_PREFIX=demo REDIS_CACHE_URL=redis://127.0.0.1:16380 DATABASE_URL=postgres://usher:usher@127.0.0.1:15432/usher \
//!   PROGRAM_CACHE_READER=true cargo run --example program_reader --features cache,postgres
//! ```
//!
//! Stop it (`kill -STOP`), change the program, wake it (`kill -CONT`): its next answer is the new
//! version.

use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shared::cache::{CacheSettings, ProgramSource, follow};
use shared::config::Reader;
use shared::message::ProgramId;
use shared::sale::Program;
use shared::store::{Store, StoreError};

/// Postgres, and how often it was asked.
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
    let names = reader.names();
    let database = reader.postgres_url("DATABASE_URL");
    let cache = CacheSettings::read(&reader);
    let (names, database, cache) = reader.finish(|| Some((names?, database?, cache?)))?;

    let loads = Arc::new(AtomicU64::new(0));
    let truth = Counting(Store::connect(database.as_str(), &names, 1)?, loads.clone());
    let link = cache.streams.link()?;
    let programs = cache.open(truth, link.clone(), &names);
    if let Some(block) = cache.block() {
        tokio::spawn(follow(
            programs.local(),
            link,
            names.clone(),
            cache.streams.evicted.clone(),
            block,
        ));
    }

    // Standard input is read by a thread of its own: the follower must run while nobody asks.
    let (send, mut asked) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || {
        std::io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| send.send(line))
    });
    while let Some(line) = asked.recv().await {
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
