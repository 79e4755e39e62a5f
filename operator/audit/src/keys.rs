//! Reads the gate key by key, without any script of the system.
//!
//! One request at a time, each of at most a chunk of the seat map or a page of keys: other commands
//! wait for about a millisecond. A chunk is read in one step, so it is consistent while the system
//! runs.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use anyhow::{Context, Result};
use redis::cmd;
use redis_link::{Call, Link, LinkError, Script};

use crate::gate::{Gate, Hall, Owner, Reservation};
use crate::tables::{Category, Program};

static CHUNK: LazyLock<Script> =
    LazyLock::new(|| Script::new("audit/chunk", include_str!("lua/chunk.lua"), &[]));
static RESERVATION: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "audit/reservation",
        include_str!("lua/reservation.lua"),
        &[],
    )
});

/// Keys, or fields, that one step of a scan examines, as in the sweep of timeout-closer.
const STEP: u32 = 250;
/// How often a category is read until its free count stays the same meanwhile.
const ATTEMPTS: usize = 3;

/// Reads everything under the environment's prefix.
pub(crate) async fn read(link: &Link, env: &str, programs: &[Program]) -> Result<Gate> {
    let ping = link.read_one("PING", cmd("PING")).await;
    ping.context("Redis does not answer")?;
    let mut gate = Gate::default();
    let scan = Scan { link, env };
    scan.run(&mut gate).await?;
    for program in programs {
        let hall = hall(link, env, program).await;
        let hall = hall
            .with_context(|| format!("the gate's keys of program {} cannot be read", program.id))?;
        gate.halls.insert(program.id.clone(), hall);
    }
    Ok(gate)
}

async fn hall(link: &Link, env: &str, program: &Program) -> Result<Hall> {
    let base = format!("{env}:{{s{:02}}}:program:{}", program.shard, program.id);
    let mut hall = Hall::default();
    let mut head = cmd("HGETALL");
    head.arg(format!("{base}:head"));
    let mut head = link.read_one("HGETALL", head).await?;
    while let Some(name) = head.next_word()? {
        hall.head.insert(name, head.word()?);
    }
    for category in &program.categories {
        for attempt in 1..=ATTEMPTS {
            let is_stable = read_category(link, &base, category, &mut hall).await?;
            if is_stable {
                break;
            }
            if attempt == ATTEMPTS {
                hall.changing.insert(category.no);
            }
        }
    }
    stray_owners(link, &base, program, &mut hall).await?;
    Ok(hall)
}

/// Reads the chunks of a category. Returns whether its free count was the same for each.
async fn read_category(
    link: &Link,
    base: &str,
    category: &Category,
    hall: &mut Hall,
) -> Result<bool> {
    let end = category.first_seat + category.seats();
    hall.owners
        .retain(|seat, _| *seat < category.first_seat || *seat >= end);
    let size = category.chunk_seats();
    let chunks = (category.seats() + size - 1) / size;
    let mut marks = BTreeSet::new();
    let mut maps = Vec::new();
    for chunk in 0..chunks {
        let first = category.first_seat + chunk * category.chunk_seats();
        let last = (first + category.chunk_seats()).min(end) - 1;
        let call = Call::new(&CHUNK, &format!("{base}:head"))
            .arg(category.no)
            .arg(chunk)
            .arg(first)
            .arg(last);
        let mut reply = link.run(call).await?;
        let free = format!("free:{}", category.no);
        match reply.word()? {
            missing if missing.is_empty() => hall.head.remove(&free),
            count => hall.head.insert(free, count),
        };
        marks.insert(reply.word()?);
        hall.longest.insert(category.no, reply.word()?.into_bytes());
        maps.push(reply.word()?.into_bytes());
        while let Some(seat) = reply.next_word()? {
            let owner = owner(&seat, &reply.word()?)?;
            hall.owners.insert(seat.parse()?, owner);
        }
    }
    hall.seats.insert(category.no, maps);
    Ok(marks.len() <= 1)
}

/// Owners of seats outside of all categories. They are looked for only if there are more owners than
/// the chunks have.
async fn stray_owners(link: &Link, base: &str, program: &Program, hall: &mut Hall) -> Result<()> {
    let key = format!("{base}:owner");
    let mut count = cmd("HLEN");
    count.arg(&key);
    let count: usize = link.read_one("HLEN", count).await?.parse()?;
    if count <= hall.owners.len() {
        return Ok(());
    }
    let is_inside = |seat: i64| {
        let mut categories = program.categories.iter();
        categories.any(|c| (c.first_seat..c.first_seat + c.seats()).contains(&seat))
    };
    let mut cursor = 0_u64;
    loop {
        let mut scan = cmd("HSCAN");
        scan.arg(&key).arg(cursor).arg("COUNT").arg(STEP);
        let mut reply = link.read_one("HSCAN", scan).await?;
        cursor = reply.parse()?;
        let mut pairs = reply.nested()?;
        while let Some(seat) = pairs.next_word()? {
            let owner = owner(&seat, &pairs.word()?)?;
            let seat = seat.parse()?;
            if !is_inside(seat) {
                hall.owners.insert(seat, owner);
            }
        }
        if cursor == 0 {
            return Ok(());
        }
    }
}

fn owner(seat: &str, text: &str) -> Result<Owner> {
    let (order, nonce) = text
        .split_once(':')
        .with_context(|| format!("owner of seat {seat} reads {text:?}"))?;
    Ok(Owner {
        order: order.to_owned(),
        nonce: nonce.to_owned(),
    })
}

/// Keys outside of the seat maps: buyers' tickets, reservations, delay entries.
struct Scan<'a> {
    link: &'a Link,
    env: &'a str,
}

/// A key of interest.
enum Found {
    Reservation(String),
    Tickets(String, String),
    Queue(String),
}

impl Scan<'_> {
    async fn run(&self, gate: &mut Gate) -> Result<()> {
        let pattern = format!("{}:{{s*", self.env);
        let scan = |cursor| {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(STEP);
            scan
        };
        let mut cursor = 0;
        loop {
            let (next, mut page) = self
                .link
                .scan("SCAN", cursor, scan)
                .await
                .context("the gate's keys cannot be listed")?;
            let mut keys = Vec::new();
            while let Some(key) = page.next_word()? {
                keys.push(key);
            }
            self.read(&keys, gate).await?;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    fn classify(&self, key: &str) -> Option<Found> {
        let (_, rest) = key.strip_prefix(self.env)?.split_once("}:")?;
        if let Some(order) = rest.strip_prefix("resv:") {
            return Some(Found::Reservation(order.to_owned()));
        }
        if let Some(queue) = rest.strip_prefix("delay:") {
            return Some(Found::Queue(queue.strip_suffix(":due")?.to_owned()));
        }
        let (program, user) = rest.strip_prefix("program:")?.split_once(":user:")?;
        Some(Found::Tickets(program.to_owned(), user.to_owned()))
    }

    /// Reads a page of keys; reservations and tickets in one round trip each.
    async fn read(&self, keys: &[String], gate: &mut Gate) -> Result<()> {
        let (mut orders, mut calls) = (Vec::new(), Vec::new());
        let (mut buyers, mut reads) = (Vec::new(), Vec::new());
        for key in keys {
            match self.classify(key) {
                Some(Found::Reservation(order)) => {
                    orders.push(order);
                    calls.push(Call::new(&RESERVATION, key));
                }
                Some(Found::Tickets(program, user)) => {
                    buyers.push((program, user));
                    let mut read = cmd("HGETALL");
                    read.arg(key);
                    reads.push(read);
                }
                Some(Found::Queue(queue)) => self
                    .entries(key, &queue, gate)
                    .await
                    .with_context(|| format!("key {key:?} cannot be read"))?,
                None => {}
            }
        }
        for (order, reply) in orders.into_iter().zip(self.link.run_all(calls).await?) {
            let mut reply = reply?;
            if let Some(state) = reply.next_word()? {
                let (nonce, program) = (reply.word()?, reply.word()?);
                let reservation = Reservation {
                    state,
                    nonce,
                    program,
                };
                gate.reservations.insert(order, reservation);
            }
        }
        let replies = self.link.read("HGETALL", reads).await?;
        for ((program, user), mut reply) in buyers.into_iter().zip(replies) {
            while let Some(order) = reply.next_word()? {
                let count = reply.word()?;
                // A count that is no number is wrong, whatever the row says.
                let count = count.parse().unwrap_or(-1);
                gate.tickets
                    .insert((program.clone(), user.clone(), order), count);
            }
        }
        Ok(())
    }

    async fn entries(&self, key: &str, queue: &str, gate: &mut Gate) -> Result<(), LinkError> {
        let mut cursor = 0_u64;
        loop {
            let mut scan = cmd("ZSCAN");
            scan.arg(key).arg(cursor).arg("COUNT").arg(STEP);
            let mut reply = self.link.read_one("ZSCAN", scan).await?;
            cursor = reply.parse()?;
            let mut pairs = reply.nested()?;
            while let Some(member) = pairs.next_word()? {
                pairs.word()?;
                gate.due.insert(format!("{queue} {member}"));
            }
            if cursor == 0 {
                return Ok(());
            }
        }
    }
}
