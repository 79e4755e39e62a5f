//! What an operator does with a queue: looks at what waits and at what was put aside, replays it or drops it.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use shared::delay::{DelayQueue, Due, Parked, Replayed};
use shared::link::Link;
use shared::message::Shard;
use shared::naming::Names;

/// Entries in a listing.
const LISTED: u32 = 100;
/// Characters of a body in a listing.
const SHORT: usize = 60;

const USAGE: &str = "\
timed-release                     the evening: see README.md
timed-release pending             entries that wait or are leased, the earliest due first
timed-release list                entries put aside, the oldest first
timed-release show ID             everything put aside under an id, whole
timed-release replay ID [MARK]    lets one wait again; the mark says which, where an id was put aside more than once
timed-release drop ID MARK        removes one for ever

REDIS_URL, ENV_PREFIX and QUEUE say which queue: ENV_PREFIX=demo QUEUE=order-timeout timed-release pending";

/// Carries out one command.
pub(crate) async fn run(url: &str, arguments: &[&str]) -> Result<()> {
    match arguments {
        ["pending"] => pending(&queue(url)?).await,
        ["list"] => list(&queue(url)?).await,
        ["show", id] => show(&queue(url)?, id).await,
        ["replay", id] => replay(&queue(url)?, id, None).await,
        ["replay", id, mark] => replay(&queue(url)?, id, Some(mark)).await,
        ["drop", id, mark] => drop_one(&queue(url)?, id, mark).await,
        ["--help" | "help"] => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("{:?} is no command\n\n{USAGE}", other.join(" ")),
    }
}

fn queue(url: &str) -> Result<DelayQueue> {
    let variable =
        |name: &str| std::env::var(name).with_context(|| format!("{name} is missing\n\n{USAGE}"));
    let link = Link::open(url, Duration::from_secs(5))?;
    Ok(DelayQueue::new(
        link,
        Names::new(&variable("ENV_PREFIX")?)?,
        &variable("QUEUE")?,
    )?)
}

async fn pending(queue: &DelayQueue) -> Result<()> {
    let shards: Vec<Shard> = Shard::all().collect();
    let stats = queue.totals(&shards).await?;
    println!(
        "{} waiting, {} leased, {} put aside",
        stats.waiting, stats.leased, stats.parked
    );
    for (shard, pending) in queue.all_pending(&shards, LISTED).await? {
        let entry = pending.entry;
        let state = if entry.leased { "leased until" } else { "due" };
        let id = pending.id;
        let due_ms = entry.due_ms;
        let attempts = entry.attempts;
        println!(
            "{shard}\t{id}\t{state} {due_ms}\tattempts {attempts}\t{}",
            short(&entry.body)
        );
    }
    Ok(())
}

async fn list(queue: &DelayQueue) -> Result<()> {
    let shards: Vec<Shard> = Shard::all().collect();
    for (shard, parked) in queue.all_parked(&shards, LISTED).await? {
        let Parked {
            id,
            mark,
            body,
            attempts,
            reason,
            parked_ms,
        } = parked;
        println!(
            "{shard}\t{id}\t{mark}\tat {parked_ms}\tattempts {attempts}\t{}\t{}",
            short(&reason),
            short(&body)
        );
    }
    Ok(())
}

async fn show(queue: &DelayQueue, id: &str) -> Result<()> {
    for (shard, parked) in found(queue, id).await? {
        let Parked {
            id,
            mark,
            body,
            attempts,
            reason,
            parked_ms,
        } = parked;
        println!(
            "{id} {mark}\nshard {shard}, put aside at {parked_ms} after {attempts} attempts\nreason: {reason}\nbody: {body}\n"
        );
    }
    Ok(())
}

async fn replay(queue: &DelayQueue, id: &str, mark: Option<&str>) -> Result<()> {
    let (shard, _) = found(queue, id).await?[0];
    let replayed = match mark {
        Some(mark) => queue.replay_marked(shard, id, mark, Due::In(0)).await?,
        None => queue.replay(shard, id, Due::In(0)).await?,
    };
    match replayed {
        Replayed::Done => println!("{id} waits again, due now"),
        Replayed::NotParked => {
            bail!("nothing is put aside under {id} with this mark: see `show {id}`")
        }
        Replayed::Several => {
            bail!("{id} was put aside more than once: name the mark of one, see `show {id}`")
        }
        Replayed::Existing => bail!(
            "an entry {id} waits already; the one put aside stays. Replay it once that one has ended"
        ),
    }
    Ok(())
}

async fn drop_one(queue: &DelayQueue, id: &str, mark: &str) -> Result<()> {
    let (shard, _) = found(queue, id).await?[0];
    ensure!(
        queue.drop_parked(shard, id, mark).await?,
        "nothing is put aside under {id} with this mark: see `show {id}`"
    );
    println!("{id} {mark} is gone");
    Ok(())
}

/// Everything put aside under an id, wherever its queue keeps it: at least one.
async fn found(queue: &DelayQueue, id: &str) -> Result<Vec<(Shard, Parked)>> {
    let mut all = Vec::new();
    for shard in Shard::all() {
        all.extend(
            queue
                .parked_of(shard, id)
                .await?
                .into_iter()
                .map(|parked| (shard, parked)),
        );
    }
    ensure!(
        !all.is_empty(),
        "nothing is put aside under {id} in queue {}: see `list`",
        queue.name()
    );
    Ok(all)
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHORT)
        .collect();
    if text.chars().nth(SHORT).is_some() {
        format!("{line}...")
    } else {
        line
    }
}
