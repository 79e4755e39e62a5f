//! Changes the program during the sale: every instance of storefront that shows programs must serve
//! the new version, and none may return to the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use ticket_rush::api::{Answer, Buyer};
use ticket_rush::host::StatusClient;
use ticket_rush::rush::Rush;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::output;

/// The function that shows programs.
const FUNCTION: &str = "StorefrontLookups";
/// Instances of it that must serve the new version, where so many answer the reads.
const INSTANCES: usize = 3;
/// Number of concurrent reads, so that several instances answer where each takes few requests.
const READS: usize = 8;
/// How long the reads continue after the last answer with the old version.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// Timeout of the whole check.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Added to the price of the balcony.
const PRICE_INCREASE_CENTS: i64 = 500;

/// Versions that an instance served.
#[derive(Debug, Clone, Copy, Default)]
struct Served {
    /// The last old version.
    old: Option<u64>,
    /// When the last request that was answered with the old version was sent, counted from the
    /// change. `None` if it was sent before the change.
    old_at: Option<Duration>,
    /// The first new version, and when it was answered, counted from the change.
    new: Option<(u64, Duration)>,
    /// It served an old version to a request sent after it had served the new one.
    went_back: bool,
}

struct VersionWatch {
    changed: Instant,
    version: u64,
    /// Instances that must serve it.
    expected: usize,
    instances: BTreeMap<String, Served>,
    last_old: Instant,
}

impl VersionWatch {
    fn record(&mut self, sent: Instant, answered: Instant, answer: &Answer) {
        let (Some(instance), Some(version)) = (&answer.instance, answer.body["version"].as_u64())
        else {
            return;
        };
        let served = self.instances.entry(instance.clone()).or_default();
        if version >= self.version {
            let after = answered.duration_since(self.changed);
            served.new.get_or_insert((version, after));
            return;
        }
        served.old = Some(version);
        let Some(since) = sent.checked_duration_since(self.changed) else {
            return;
        };
        served.went_back |= served.new.is_some_and(|(_, at)| since > at);
        served.old_at = Some(since);
        self.last_old = self.last_old.max(sent);
    }

    fn count(&self, which: impl Fn(&Served) -> bool) -> usize {
        let instances = self.instances.values();
        instances.filter(|served| which(served)).count()
    }

    fn renewed(&self) -> usize {
        self.count(|served| served.new.is_some())
    }

    fn is_settled(&self) -> bool {
        self.renewed() >= self.expected && self.last_old.elapsed() >= SETTLE_TIME
    }
}

/// Changes the title and a price, then observes the versions served. Returns whether they are
/// correct.
pub(crate) async fn during_the_rush(
    rush: &Rush,
    seller: &Buyer,
    status_client: &StatusClient,
) -> Result<bool> {
    let read = || rush.api.program(&rush.program);
    let before = timeout(TIMEOUT, rush.until_answered(read)).await;
    let before = before.context("cannot read the program")?.body;
    let version = before["version"].as_u64();
    let version = version.context("cannot read the program")?;
    let price = before["categories"][2]["price_cents"].as_i64();
    let price = price.context("the program has no balcony")?;
    let expected = expected_instances(status_client).await?;
    let read_before = read_by_instances(rush, expected).await;
    let change = json!({
        "version": version, "title": "Winter concert, extra choir",
        "categories": [{ "no": 2, "price_cents": price + PRICE_INCREASE_CENTS }],
    });
    let update = || rush.api.update_program(seller, &rush.program, &change);
    let answer = timeout(TIMEOUT, rush.until_answered(update)).await;
    let mut answer = answer.with_context(|| {
        let seconds = TIMEOUT.as_secs();
        format!("the change of the program has no final answer after {seconds} s")
    })?;
    if answer.http == 409 {
        // Its version makes the change happen once: a repetition after a failure is answered with
        // a conflict, and the program then shows the change.
        let after = rush.until_answered(read).await;
        if after.body["title"] == change["title"] {
            answer = after;
        }
    }
    let new = answer.body["version"].as_u64().filter(|new| *new > version);
    let new =
        new.with_context(|| format!("cannot change the program: {} {}", answer.http, answer.body))?;
    let now = Instant::now();
    let mut watch = VersionWatch {
        changed: now,
        version: new,
        expected,
        instances: BTreeMap::new(),
        last_old: now,
    };
    for (sent, answered, answer) in &read_before {
        watch.record(*sent, *answered, answer);
    }
    output::done(&format!(
        "the program has changed: version {version} -> {new}, the balcony costs \
         {PRICE_INCREASE_CENTS} cents more"
    ));
    while !watch.is_settled() && now.elapsed() < TIMEOUT {
        for (sent, answered, answer) in concurrent_reads(rush).await {
            watch.record(sent, answered, &answer);
        }
        // The buyers, not these reads, must produce the load.
        sleep(Duration::from_millis(10)).await;
    }
    Ok(report(&watch))
}

/// One answer, with the times of its request and of itself.
type Read = (Instant, Instant, Answer);

/// [`READS`] requests for the program at the same time.
async fn concurrent_reads(rush: &Rush) -> Vec<Read> {
    let mut reads = JoinSet::new();
    for _ in 0..READS {
        let rush = rush.clone();
        reads.spawn(async move {
            let sent = Instant::now();
            let answer = rush.api.program(&rush.program).await;
            (sent, Instant::now(), answer)
        });
    }
    reads.join_all().await
}

/// Instances that must serve the new version.
async fn expected_instances(status_client: &StatusClient) -> Result<usize> {
    let status = status_client.status().await?;
    let function = status.function(FUNCTION);
    let function = function.context("the host has no function of look-ups")?;
    Ok(reached_instances(function.limit, function.per_instance))
}

/// How many instances the reads reach, [`INSTANCES`] at most: a process that takes many requests
/// answers all of them.
fn reached_instances(limit: usize, per_instance: usize) -> usize {
    READS.div_ceil(per_instance).min(limit).min(INSTANCES)
}

/// Reads the program until so many instances have answered: they remember this version when it
/// changes.
async fn read_by_instances(rush: &Rush, expected: usize) -> Vec<Read> {
    let began = Instant::now();
    let mut reads = Vec::new();
    let mut instances = BTreeSet::new();
    while instances.len() < expected && began.elapsed() < TIMEOUT {
        let answers = concurrent_reads(rush).await;
        instances.extend(answers.iter().filter_map(|(.., a)| a.instance.clone()));
        reads.extend(answers);
    }
    reads
}

fn report(watch: &VersionWatch) -> bool {
    let show = |cells: [&str; 4]| {
        let [instance, old, new, after] = cells;
        output::line(&format!("  {instance:<18} {old:>12} {new:>12} {after:>14}"));
    };
    show(["INSTANCE", "SERVED", "SERVES", "AFTER"]);
    for (instance, served) in watch.instances.iter().take(6) {
        let version =
            |seen: Option<u64>| seen.map_or("-".to_owned(), |version| format!("version {version}"));
        let after = served.new.map(|(_, at)| format!("{} ms", at.as_millis()));
        let after = after.as_deref().unwrap_or("-");
        let new = served.new.map(|(version, _)| version);
        show([instance, &version(served.old), &version(new), after]);
    }
    let old = watch.instances.values().filter_map(|served| served.old_at);
    let old = match old.map(|at| at.as_millis()).max() {
        None => "no old version was served after the change".to_owned(),
        Some(ms) => {
            format!("the last request answered with the old one was sent {ms} ms after the change")
        }
    };
    let seen = watch.instances.len();
    let renewed = watch.renewed();
    let back = watch.count(|served| served.went_back);
    let behind = seen - renewed;
    let correct = renewed >= watch.expected && back == 0;
    let failed = if correct {
        String::new()
    } else {
        format!(
            "; {back} returned to the old one, {behind} never served it; at least {} must",
            watch.expected
        )
    };
    let result =
        format!("{renewed} of {seen} observed instances serve the new version; {old}{failed}");
    output::checked(correct, &result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_may_answer_all_reads() {
        assert_eq!(reached_instances(64, 1), INSTANCES);
        assert_eq!(reached_instances(2, 1), 2);
        assert_eq!(reached_instances(1, 64), 1);
        assert_eq!(
            reached_instances(4, 16),
            1,
            "one is filled before another starts"
        );
    }
}
