//! The parts of the benchmarks, in the order in which they run.

use anyhow::Result;

use crate::arguments::{Arguments, What};
use crate::runner::{self, Runner};
use crate::{change, create, delay, events, filling, gate, growth, http, isolation, sale, sqs};

/// Does what the command line requests.
pub(crate) async fn run(given: &Arguments) -> Result<()> {
    let mut files = given.record.clone();
    if files.is_empty() {
        files.push(runner::default_file()?);
    }
    if given.what == What::Report {
        let docs = given.write.clone().unwrap_or_else(|| "docs".into());
        return runner::render(&files, &docs);
    }
    let quick = given.quick;
    let isolation = async {
        isolation::run(given.orders).await?;
        events::neighbours(given.events).await
    };
    let mut parts = Runner::begin(given.what.only(), files.swap_remove(0));
    parts
        .run("http", http::run(given.clients, given.seconds, quick))
        .await;
    parts.run("create", create::run(given.orders, quick)).await;
    // Nine hosts: too long for a short look, unless it is at this part.
    if !quick || given.what == What::Isolation {
        parts.run("isolation", isolation).await;
    }
    parts.run("change", change::run(given.changes)).await;
    parts.run("filling", filling::run(given.seats)).await;
    parts.run("gate", gate::run(quick)).await;
    parts.run("sale", sale::run(given.stored)).await;
    parts.run("delay", delay::run(given.entries, quick)).await;
    parts.run("events", events::run(given.events, quick)).await;
    parts.run("latency", events::latency(given.singles)).await;
    parts
        .run("topics", events::topics(given.events / 4, quick))
        .await;
    parts.run("sqs", sqs::run(given.messages, quick)).await;
    parts.run("growth", growth::run(quick)).await;
    parts.finish(given.write.as_deref())
}
