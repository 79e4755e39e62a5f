//! One evening: what happens, in its order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use shared::delay::{DelayQueue, Due, Replayed, Scheduled, Stats, shard_of};
use shared::link::Link;
use shared::message::Shard;
use shared::naming::Names;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::check::{Promise, Release, faults};
use crate::clock::RedisClock;
use crate::floor::{Floor, Released};
use crate::waiter::{Told, Waiter};

/// Tables, how long they are held, ms, and what is written on the note.
const HOLDS: [(&str, u64, &str); 12] = [
    ("table-1", 600, "Ahmadi"),
    (ACCIDENT, 800, "Bernini"),
    ("table-3", 2500, "Castro"),
    ("table-4", 900, "sticky"),
    ("table-5", 3000, "Eriksen"),
    ("table-6", 1000, "illegible"),
    ("table-7", 1000, "Greco"),
    ("table-8", 3000, "Haas"),
    ("table-9", 2500, "Ito"),
    ("table-10", 1100, "Jansen"),
    ("table-11", 1200, "Keita"),
    ("table-12", 1300, "Larsen"),
];
/// Whose waiter falls over.
const ACCIDENT: &str = "table-2";
/// The evening is over by then, or something is lost.
const CLOSING: Duration = Duration::from_secs(60);

/// Plays it. Answers every broken promise.
pub(crate) async fn run(url: &str) -> Result<Vec<String>> {
    let link = Link::open(url, Duration::from_secs(5))?;
    let names = Names::new(&format!("holds-{:06x}", rand::random::<u32>() >> 8))?;
    let queue = DelayQueue::new(link, names, "table-holds")?;
    let clock = RedisClock::connect(url).await;
    let clock = clock.context(
        "Redis does not answer; set REDIS_URL, or start one: scripts/servers start redis",
    )?;
    let (tell, told) = mpsc::unbounded_channel();
    let mut evening = Evening {
        queue,
        clock,
        floor: Arc::new(Floor::default()),
        glasses: Arc::default(),
        promises: BTreeMap::new(),
        releases: Vec::new(),
        told,
    };
    let played = timeout(CLOSING, evening.play(url, &tell)).await;
    if let Ok(ended) = played {
        ended?;
    } else {
        println!("  the lights go out after {} s", CLOSING.as_secs());
    }
    evening.sum_up().await
}

struct Evening {
    queue: DelayQueue,
    clock: RedisClock,
    floor: Arc<Floor>,
    glasses: Arc<AtomicBool>,
    promises: BTreeMap<String, Promise>,
    releases: Vec<Release>,
    told: mpsc::UnboundedReceiver<Told>,
}

impl Evening {
    async fn play(&mut self, url: &str, tell: &mpsc::UnboundedSender<Told>) -> Result<()> {
        println!(
            "Tables are held for guests on their way. Two waiters release what nobody came for."
        );
        for (table, hold_ms, note) in HOLDS {
            self.hold(table, hold_ms, note).await?;
        }
        println!("  held       {} tables, for 600 to 3000 ms", HOLDS.len());
        let again = self
            .queue
            .schedule(shard_of("table-1"), "table-1", "Ahmadi", Due::In(1))
            .await?;
        ensure!(
            again == Scheduled::Existing,
            "a hold asked for twice is one hold, not {again:?}"
        );

        let waiter = |name, falls_over| Waiter {
            name,
            floor: self.floor.clone(),
            glasses: self.glasses.clone(),
            clock: self.clock.clone(),
            tell: tell.clone(),
            falls_over,
        };
        // The clumsy one works alone until it has fallen over.
        let clumsy = waiter("Otto", Some(ACCIDENT)).start(&self.queue, url)?;
        let able = waiter("Anna", None);
        self.extend("table-3", 3000).await?;
        self.extend("table-9", 3200).await?;
        self.confirm("table-5").await?;
        self.confirm("table-8").await?;
        self.until(|told| matches!(told, Told::Begins(job) if job.id == ACCIDENT))
            .await?;
        clumsy.kill().await;
        println!("  killed     Otto, with {ACCIDENT} in his hands; Anna takes over");
        let anna = able.start(&self.queue, url)?;

        // One more, while Anna sleeps until something later: she is woken for it.
        self.hold("table-13", 20, "Moreau").await?;
        println!("  held       table-13, for 20 ms");
        self.mend("table-6").await?;
        let open = self
            .promises
            .values()
            .filter(|promise| matches!(promise, Promise::Until(_)))
            .count();
        while self.releases.len() < open {
            self.until(|told| matches!(told, Told::Ends(..))).await?;
        }
        let tally = anna.stop().await?;
        println!(
            "  closed     Anna released {}, tried again {}, put aside {}",
            tally.done, tally.retried, tally.parked
        );
        Ok(())
    }

    async fn hold(&mut self, table: &'static str, hold_ms: u64, note: &str) -> Result<()> {
        self.floor.hold(table);
        self.promises.insert(
            table.to_owned(),
            Promise::Until(self.clock.now_ms().await? + hold_ms),
        );
        let scheduled = self
            .queue
            .schedule(shard_of(table), table, note, Due::In(hold_ms))
            .await?;
        ensure!(scheduled == Scheduled::New, "{table} was held already");
        Ok(())
    }

    /// The guest calls: a little longer.
    async fn extend(&mut self, table: &'static str, hold_ms: u64) -> Result<()> {
        self.promises.insert(
            table.to_owned(),
            Promise::Until(self.clock.now_ms().await? + hold_ms),
        );
        ensure!(
            self.queue
                .reschedule(shard_of(table), table, Due::In(hold_ms))
                .await?,
            "{table} was released before its guest called"
        );
        println!("  extended   {table}, by {hold_ms} ms from now");
        Ok(())
    }

    /// The guest comes: the table is theirs first, then nobody needs to be reminded any more.
    async fn confirm(&mut self, table: &'static str) -> Result<()> {
        ensure!(
            self.floor.seat(table),
            "{table} was released before its guest came"
        );
        self.promises.insert(table.to_owned(), Promise::Kept);
        let cancelled = self.queue.cancel(shard_of(table), table).await?;
        println!(
            "  confirmed  {table}{}",
            if cancelled {
                ""
            } else {
                " (its release was under way, and finds a guest)"
            }
        );
        Ok(())
    }

    /// The cause is mended, and the hold ends as it should have.
    async fn mend(&mut self, table: &'static str) -> Result<()> {
        let parked = loop {
            if let Some(parked) = self
                .queue
                .parked(shard_of(table), 0, 100)
                .await?
                .into_iter()
                .find(|parked| parked.id == table)
            {
                break parked;
            }
            self.catch_up();
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.catch_up();
        println!("  parked     {table}: {}", parked.reason);
        self.glasses.store(true, Ordering::Relaxed);
        ensure!(
            self.queue
                .replay(shard_of(table), table, Due::In(0))
                .await?
                == Replayed::Done,
            "{table} is not parked"
        );
        println!("  replayed   {table}: the glasses are found");
        Ok(())
    }

    /// Tells what is told until this comes.
    async fn until(&mut self, is_it: impl Fn(&Told) -> bool) -> Result<()> {
        loop {
            let told = self.told.recv().await.context("the waiters are gone")?;
            self.tell(&told);
            if is_it(&told) {
                return Ok(());
            }
        }
    }

    /// Tells what was told meanwhile.
    fn catch_up(&mut self) {
        while let Ok(told) = self.told.try_recv() {
            self.tell(&told);
        }
    }

    fn tell(&mut self, told: &Told) {
        match told {
            Told::Begins(..) => {}
            Told::Fails(who, job, why) => println!(
                "  failed     {} by {who}, attempt {}: {why}",
                job.id, job.attempt
            ),
            Told::Ends(who, job, released, at_ms) => {
                let late = at_ms.saturating_sub(job.due_ms);
                match released {
                    Released::Now => {
                        println!(
                            "  released   {} by {who}, {late} ms after its time, attempt {}",
                            job.id, job.attempt
                        );
                        self.releases.push(Release {
                            table: job.id.clone(),
                            at_ms: *at_ms,
                        });
                    }
                    Released::Before => {
                        println!("  again      {} by {who}: it was free already", job.id);
                    }
                    Released::TakenByItsGuest => {
                        println!("  too late   {} by {who}: its guest came first", job.id);
                    }
                }
            }
        }
    }

    async fn sum_up(mut self) -> Result<Vec<String>> {
        self.catch_up();
        let mut faults = faults(&self.promises, &self.floor.all(), &self.releases);
        let shards: Vec<Shard> = Shard::all().collect();
        let left = self.queue.totals(&shards).await?;
        if left != Stats::default() {
            faults.push(format!("something is left in the queue: {left:?}"));
        }
        let kept = self
            .promises
            .values()
            .filter(|promise| **promise == Promise::Kept)
            .count();
        println!(
            "{} tables: {} released, {kept} kept for guests who came",
            self.promises.len(),
            self.releases.len()
        );
        Ok(faults)
    }
}
