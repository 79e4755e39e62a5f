//! The scenario: holds, extensions, confirmations, a killed worker and a parked entry.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use delay_queue::{DelayQueue, Due, Link, Replayed, Scheduled, Shard, Stats};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock;
use crate::handler::{Event, Releaser};
use crate::tables::{Released, Tables};
use crate::verify::{Promise, Release, violations};

/// Tables, how long they are held in ms, and the note of each.
const HOLDS: [(&str, u64, &str); 12] = [
    ("table-1", 600, "Ahmadi"),
    (KILLED_AT, 800, "Bernini"),
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
/// The first worker is killed while it handles this table.
const KILLED_AT: &str = "table-2";
/// The scenario ends by then; holds that are left are violations.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// Runs the scenario and reports every violation.
pub(crate) async fn run(url: &str) -> Result<ExitCode> {
    let link = Link::open(url, Duration::from_secs(5))?;
    clock::now_ms(&link).await.context(
        "Redis does not answer; set REDIS_URL, or start one: scripts/servers start redis",
    )?;
    let prefix = format!("holds-{:06x}", rand::random::<u32>() >> 8);
    let (sender, events) = mpsc::unbounded_channel();
    let mut scenario = Scenario {
        queue: DelayQueue::new(link.clone(), &prefix, "table-holds")?,
        link,
        tables: Arc::new(Tables::default()),
        repaired: Arc::default(),
        promises: BTreeMap::new(),
        releases: Vec::new(),
        events,
    };
    match timeout(TIME_LIMIT, scenario.play(url, &sender)).await {
        Ok(result) => result?,
        Err(_) => println!("  stopped    after {} s", TIME_LIMIT.as_secs()),
    }
    let violations = scenario.verify().await?;
    for violation in &violations {
        eprintln!("violation: {violation}");
    }
    if !violations.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    println!("No hold was lost, no table was released early.");
    Ok(ExitCode::SUCCESS)
}

struct Scenario {
    queue: DelayQueue,
    link: Link,
    tables: Arc<Tables>,
    repaired: Arc<AtomicBool>,
    promises: BTreeMap<String, Promise>,
    releases: Vec<Release>,
    events: mpsc::UnboundedReceiver<Event>,
}

impl Scenario {
    async fn play(&mut self, url: &str, sender: &mpsc::UnboundedSender<Event>) -> Result<()> {
        println!("Tables are on hold for guests. Two workers release them when the hold ends.");
        for (table, hold_ms, note) in HOLDS {
            self.hold(table, hold_ms, note).await?;
        }
        println!("  held       {} tables, for 600 to 3000 ms", HOLDS.len());
        let again = self.schedule("table-1", 1, "Ahmadi").await?;
        ensure!(
            again == Scheduled::Existing,
            "scheduling an id twice must be one entry, not {again:?}"
        );

        let worker = |name, stuck_on| Releaser {
            name,
            tables: self.tables.clone(),
            repaired: self.repaired.clone(),
            link: self.link.clone(),
            events: sender.clone(),
            stuck_on,
        };
        let first = worker("worker-1", Some(KILLED_AT)).start(&self.queue, url)?;
        let second = worker("worker-2", None);
        self.extend("table-3", 3000).await?;
        self.extend("table-9", 3200).await?;
        self.confirm("table-5").await?;
        self.confirm("table-8").await?;
        self.until(|event| matches!(event, Event::Started(job) if job.id == KILLED_AT))
            .await?;
        first.kill().await;
        println!("  killed     worker-1 while it handled {KILLED_AT}; worker-2 takes over");
        let second = second.start(&self.queue, url)?;

        // The worker sleeps until a later due time; this entry wakes it.
        self.hold("table-13", 20, "Moreau").await?;
        println!("  held       table-13, for 20 ms");
        self.repair("table-6").await?;
        while self.releases.len() < self.promises.len() - self.kept() {
            self.until(|event| matches!(event, Event::Released(..)))
                .await?;
        }
        let counts = second.stop().await?;
        println!(
            "  stopped    worker-2: {} done, {} retried, {} parked",
            counts.done, counts.retried, counts.parked
        );
        Ok(())
    }

    async fn hold(&mut self, table: &'static str, hold_ms: u64, note: &str) -> Result<()> {
        self.tables.hold(table);
        self.promise(table, hold_ms).await?;
        let scheduled = self.schedule(table, hold_ms, note).await?;
        ensure!(scheduled == Scheduled::New, "{table} was held already");
        Ok(())
    }

    async fn schedule(&self, table: &str, hold_ms: u64, note: &str) -> Result<Scheduled> {
        let shard = Shard::of_id(table);
        Ok(self
            .queue
            .schedule(shard, table, note, Due::In(hold_ms))
            .await?)
    }

    /// The guest calls: the hold ends later.
    async fn extend(&mut self, table: &'static str, hold_ms: u64) -> Result<()> {
        self.promise(table, hold_ms).await?;
        let due = Due::In(hold_ms);
        let held = self
            .queue
            .reschedule(Shard::of_id(table), table, due)
            .await?;
        ensure!(held, "{table} was released before its guest called");
        println!("  extended   {table}, by {hold_ms} ms from now");
        Ok(())
    }

    async fn promise(&mut self, table: &str, hold_ms: u64) -> Result<()> {
        let until = clock::now_ms(&self.link).await? + hold_ms;
        self.promises
            .insert(table.to_owned(), Promise::Until(until));
        Ok(())
    }

    /// The guest arrives: the table is changed first, then the entry is cancelled.
    async fn confirm(&mut self, table: &'static str) -> Result<()> {
        ensure!(
            self.tables.seat(table),
            "{table} was released before its guest arrived"
        );
        self.promises.insert(table.to_owned(), Promise::Kept);
        let cancelled = self.queue.cancel(Shard::of_id(table), table).await?;
        let note = if cancelled {
            ""
        } else {
            " (its handler is running and finds the guest)"
        };
        println!("  confirmed  {table}{note}");
        Ok(())
    }

    /// An operator removes the cause of a failure and replays the parked entry.
    async fn repair(&mut self, table: &'static str) -> Result<()> {
        let shard = Shard::of_id(table);
        let parked = loop {
            let parked = self.queue.parked_of(shard, table).await?;
            if let Some(parked) = parked.into_iter().next() {
                break parked;
            }
            self.show_events();
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.show_events();
        println!("  parked     {table}: {}", parked.reason);
        self.repaired.store(true, Ordering::Relaxed);
        let replayed = self.queue.replay(shard, table, Due::In(0)).await?;
        ensure!(replayed == Replayed::Done, "{table} is not parked");
        println!("  replayed   {table}: its note can be read now");
        Ok(())
    }

    /// Shows events up to this one.
    async fn until(&mut self, is_last: impl Fn(&Event) -> bool) -> Result<()> {
        loop {
            let event = self.events.recv().await.context("the workers ended")?;
            self.show(&event);
            if is_last(&event) {
                return Ok(());
            }
        }
    }

    fn show_events(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            self.show(&event);
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Started(..) => {}
            Event::Failed(worker, job, reason) => println!(
                "  failed     {} by {worker}, attempt {}: {reason}",
                job.id, job.attempt
            ),
            Event::Released(worker, job, Released::Now, at_ms) => {
                let late = at_ms.saturating_sub(job.due_ms);
                println!(
                    "  released   {} by {worker}, {late} ms after its time, attempt {}",
                    job.id, job.attempt
                );
                self.releases.push(Release {
                    table: job.id.clone(),
                    at_ms: *at_ms,
                });
            }
            Event::Released(worker, job, Released::Before, _) => {
                println!("  again      {} by {worker}: it was free already", job.id);
            }
            Event::Released(worker, job, Released::Occupied, _) => {
                println!("  too late   {} by {worker}: its guest is seated", job.id);
            }
        }
    }

    async fn verify(mut self) -> Result<Vec<String>> {
        self.show_events();
        let mut violations = violations(&self.promises, &self.tables.all(), &self.releases);
        let shards: Vec<Shard> = Shard::all().collect();
        let left = self.queue.totals(&shards).await?;
        if left != Stats::default() {
            violations.push(format!("the queue is not empty: {left:?}"));
        }
        println!(
            "{} tables: {} released, {} kept for guests who arrived",
            self.promises.len(),
            self.releases.len(),
            self.kept()
        );
        Ok(violations)
    }

    /// The number of tables whose guest arrived.
    fn kept(&self) -> usize {
        let promises = self.promises.values();
        promises
            .filter(|promise| **promise == Promise::Kept)
            .count()
    }
}
