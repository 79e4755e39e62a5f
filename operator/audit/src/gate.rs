//! Reads the Redis gate key by key, without any script of the system.
//!
//! The keys of one program are read in one MULTI, so they are consistent while the system runs.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Client};

use crate::tables::{Program, Tables};

/// A seat's owner in Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub order: String,
    pub nonce: String,
}

/// The gate's keys of one program.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hall {
    /// Header; empty if the program was never installed.
    pub head: HashMap<String, String>,
    /// Bytes of each category, chunks joined, and the lengths of the chunks.
    pub seats: BTreeMap<i64, Vec<Vec<u8>>>,
    /// By category, a character for each chunk: its longest run of free seats within a row.
    pub longest: BTreeMap<i64, Vec<u8>>,
    /// Owner of each seat.
    pub owners: BTreeMap<i64, Owner>,
}

/// A reservation.
#[derive(Debug, Clone)]
pub(crate) struct Reservation {
    pub state: String,
}

/// The keys of all programs.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// Keys by program.
    pub halls: BTreeMap<String, Hall>,
    /// Tickets by (program, user, order).
    pub tickets: BTreeMap<(String, String, String), i64>,
    /// Reservations by order.
    pub reservations: BTreeMap<String, Reservation>,
    /// Members of the delay queues: "queue member".
    pub due: Vec<String>,
}

/// Reads everything under the environment's prefix.
pub(crate) async fn read(client: Client, env: &str, tables: &Tables) -> Result<Gate> {
    let connect = client.get_multiplexed_async_connection();
    let connection = tokio::time::timeout(Duration::from_secs(10), connect).await;
    let mut redis = connection
        .context("Redis does not answer within 10 s")?
        .context("Redis does not answer")?;
    let mut gate = Gate::default();
    for program in &tables.programs {
        let hall = hall(&mut redis, env, program).await;
        let hall = hall
            .with_context(|| format!("the gate's keys of program {} cannot be read", program.id))?;
        gate.halls.insert(program.id.clone(), hall);
    }
    for key in keys(&mut redis, env)
        .await
        .context("the gate's keys cannot be listed")?
    {
        other_key(&mut redis, env, &key, &mut gate)
            .await
            .with_context(|| format!("key {key:?} cannot be read"))?;
    }
    Ok(gate)
}

async fn hall(redis: &mut MultiplexedConnection, env: &str, program: &Program) -> Result<Hall> {
    let base = format!("{env}:{{s{:02}}}:program:{}", program.shard, program.id);
    let mut reads = redis::pipe();
    reads
        .atomic()
        .hgetall(format!("{base}:head"))
        .hgetall(format!("{base}:owner"));
    for category in &program.categories {
        reads.get(format!("{base}:longest:{}", category.no));
        for chunk in 0..chunks(category) {
            reads.get(format!("{base}:seats:{}:{chunk}", category.no));
        }
    }
    let answers: Vec<redis::Value> = reads.query_async(redis).await?;
    let mut answers = answers.into_iter();
    let mut next = || answers.next().context("Redis answered too little");
    let mut hall = Hall {
        head: redis::from_redis_value(next()?)?,
        ..Hall::default()
    };
    let owners: HashMap<i64, String> = redis::from_redis_value(next()?)?;
    for (seat, owner) in owners {
        let (order, nonce) = owner
            .split_once(':')
            .with_context(|| format!("owner of seat {seat} reads {owner:?}"))?;
        hall.owners.insert(
            seat,
            Owner {
                order: order.to_owned(),
                nonce: nonce.to_owned(),
            },
        );
    }
    for category in &program.categories {
        let letters: Option<Vec<u8>> = redis::from_redis_value(next()?)?;
        hall.longest
            .insert(category.no, letters.unwrap_or_default());
        let mut maps = Vec::new();
        for _ in 0..chunks(category) {
            let bytes: Option<Vec<u8>> = redis::from_redis_value(next()?)?;
            maps.push(bytes.unwrap_or_default());
        }
        hall.seats.insert(category.no, maps);
    }
    Ok(hall)
}

fn chunks(category: &crate::tables::Category) -> i64 {
    (category.seats() + category.chunk_seats() - 1) / category.chunk_seats()
}

async fn keys(redis: &mut MultiplexedConnection, env: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg(format!("{env}:{{s*"))
            .arg("COUNT")
            .arg(2000);
        let (next, keys): (u64, Vec<String>) = scan.query_async(redis).await?;
        found.extend(keys);
        if next == 0 {
            found.sort();
            found.dedup(); // SCAN may name a key twice
            return Ok(found);
        }
        cursor = next;
    }
}

/// Keys outside of the seat maps: buyers' tickets, reservations, delay entries.
async fn other_key(
    redis: &mut MultiplexedConnection,
    env: &str,
    key: &str,
    gate: &mut Gate,
) -> Result<()> {
    let Some((_, rest)) = key.strip_prefix(env).and_then(|k| k.split_once("}:")) else {
        return Ok(());
    };
    if let Some(order) = rest.strip_prefix("resv:") {
        // A line of words, the state first. An earlier version wrote a hash.
        let text: Option<String> = match redis.get(key).await {
            Err(error) if error.code() == Some("WRONGTYPE") => redis.hget(key, "state").await?,
            text => text?,
        };
        if let Some(state) = text.as_deref().and_then(|text| text.split(' ').next()) {
            let state = state.to_owned();
            gate.reservations
                .insert(order.to_owned(), Reservation { state });
        }
    } else if let Some((program, user)) = rest
        .strip_prefix("program:")
        .and_then(|r| r.split_once(":user:"))
    {
        let tickets: HashMap<String, i64> = redis.hgetall(key).await?;
        for (order, n) in tickets {
            gate.tickets
                .insert((program.to_owned(), user.to_owned(), order), n);
        }
    } else if let Some(queue) = rest
        .strip_prefix("delay:")
        .and_then(|r| r.strip_suffix(":due"))
    {
        let members: Vec<String> = redis.zrange(key, 0, -1).await?;
        gate.due
            .extend(members.into_iter().map(|m| format!("{queue} {m}")));
    }
    Ok(())
}
