//! The operator's commands: list waiting and parked entries, replay or drop parked ones.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use delay_queue::{DelayQueue, Due, Link, Parked, Pending, Replayed, Shard};

/// Entries in a listing.
const LISTED: u32 = 100;
/// Characters of a body in a listing.
const SHORT: usize = 60;

const USAGE: &str = "\
timed-release                     run the scenario of README.md
timed-release pending             list waiting and leased entries, the earliest due first
timed-release list                list parked entries, the oldest first
timed-release show ID             show all parked entries of an id in full
timed-release replay ID [MARK]    schedule a parked entry now; MARK selects one of several
timed-release drop ID MARK        delete a parked entry

REDIS_URL, ENV_PREFIX and QUEUE name the queue:
ENV_PREFIX=demo QUEUE=order-timeout timed-release pending";

/// Runs one command.
pub(crate) async fn run(url: &str, arguments: &[&str]) -> Result<ExitCode> {
    match arguments {
        ["pending"] => pending(&queue(url)?).await?,
        ["list"] => list(&queue(url)?).await?,
        ["show", id] => show(&queue(url)?, id).await?,
        ["replay", id] => replay(&queue(url)?, id, "*").await?,
        ["replay", id, mark] => replay(&queue(url)?, id, mark).await?,
        ["drop", id, mark] => drop_one(&queue(url)?, id, mark).await?,
        ["--help" | "help"] => println!("{USAGE}"),
        other => bail!("{:?} is not a command\n\n{USAGE}", other.join(" ")),
    }
    Ok(ExitCode::SUCCESS)
}

fn queue(url: &str) -> Result<DelayQueue> {
    let variable =
        |name: &str| std::env::var(name).with_context(|| format!("{name} is missing\n\n{USAGE}"));
    let link = Link::open(url, Duration::from_secs(5))?;
    let prefix = variable("ENV_PREFIX")?;
    Ok(DelayQueue::new(link, &prefix, &variable("QUEUE")?)?)
}

async fn pending(queue: &DelayQueue) -> Result<()> {
    let shards: Vec<Shard> = Shard::all().collect();
    let stats = queue.totals(&shards).await?;
    println!(
        "{} waiting, {} leased, {} parked",
        stats.waiting, stats.leased, stats.parked
    );
    for (shard, pending) in queue.all_pending(&shards, LISTED).await? {
        let Pending { id, entry } = pending;
        let state = if entry.leased { "leased until" } else { "due" };
        println!(
            "{shard}\t{id}\t{state} {}\tattempts {}\t{}",
            entry.due_ms,
            entry.attempts,
            short(&entry.body)
        );
    }
    Ok(())
}

async fn list(queue: &DelayQueue) -> Result<()> {
    let shards: Vec<Shard> = Shard::all().collect();
    for (shard, parked) in queue.all_parked(&shards, LISTED).await? {
        println!(
            "{shard}\t{}\t{}\tat {}\tattempts {}\t{}\t{}",
            parked.id,
            parked.mark,
            parked.parked_ms,
            parked.attempts,
            short(&parked.reason),
            short(&parked.body)
        );
    }
    Ok(())
}

async fn show(queue: &DelayQueue, id: &str) -> Result<()> {
    for (shard, parked) in found(queue, id).await? {
        println!(
            "{id} {}\nshard {shard}, parked at {} after {} attempts\nreason: {}\nbody: {}\n",
            parked.mark, parked.parked_ms, parked.attempts, parked.reason, parked.body
        );
    }
    Ok(())
}

async fn replay(queue: &DelayQueue, id: &str, mark: &str) -> Result<()> {
    let (shard, _) = found(queue, id).await?[0];
    match queue.replay_marked(shard, id, mark, Due::In(0)).await? {
        Replayed::Done => println!("{id} is scheduled, due now"),
        Replayed::NotParked => {
            bail!("no entry {id} with this mark is parked: see `show {id}`")
        }
        Replayed::Several => {
            bail!("several entries {id} are parked: give the mark of one, see `show {id}`")
        }
        Replayed::Existing => bail!(
            "an entry {id} waits already; the parked one stays. Replay it when that one has ended"
        ),
    }
    Ok(())
}

async fn drop_one(queue: &DelayQueue, id: &str, mark: &str) -> Result<()> {
    let (shard, _) = found(queue, id).await?[0];
    ensure!(
        queue.drop_parked(shard, id, mark).await?,
        "no entry {id} with this mark is parked: see `show {id}`"
    );
    println!("{id} {mark} is deleted");
    Ok(())
}

/// All parked entries of an id, at least one. A queue may use other shards than `Shard::of_id`.
async fn found(queue: &DelayQueue, id: &str) -> Result<Vec<(Shard, Parked)>> {
    let mut all = Vec::new();
    for shard in Shard::all() {
        let parked = queue.parked_of(shard, id).await?;
        all.extend(parked.into_iter().map(|parked| (shard, parked)));
    }
    ensure!(
        !all.is_empty(),
        "no entry {id} is parked in queue {}: see `list`",
        queue.name()
    );
    Ok(all)
}

/// The first [`SHORT`] characters of a text, on one line.
fn short(text: &str) -> String {
    let printed = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().map(printed).take(SHORT).collect();
    if text.chars().nth(SHORT).is_some() {
        line.push_str("...");
    }
    line
}
