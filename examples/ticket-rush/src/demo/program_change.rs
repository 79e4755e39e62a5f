//! Changes the program during the sale: every instance of storefront must serve the new version,
//! and none may return to the old one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use ticket_rush::api::{Answer, ApiClient, Buyer};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::buyer::Rush;
use crate::output;

/// Minimum number of instances that must serve the new version.
const MIN_INSTANCES: usize = 3;
/// Number of concurrent readers, so that several instances answer.
const READERS: usize = 8;
/// How long the readers continue after the last answer with the old version.
const SETTLE_TIME: Duration = Duration::from_secs(1);
/// Timeout of the whole check.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Added to the price of the balcony.
const PRICE_INCREASE_CENTS: i64 = 500;

/// Versions that an instance served.
#[derive(Debug, Clone, Copy, Default)]
struct Served {
    /// The last old version, and when its request was sent, counted from the change.
    old: Option<(u64, Duration)>,
    /// The first new version, and when it was answered, counted from the change.
    new: Option<(u64, Duration)>,
    /// It served an old version to a request sent after it had served the new one.
    went_back: bool,
}

#[derive(Debug)]
struct VersionWatch {
    changed: Instant,
    version: u64,
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
            served
                .new
                .get_or_insert((version, answered.duration_since(self.changed)));
            return;
        }
        let since = sent.saturating_duration_since(self.changed);
        served.went_back |= served.new.is_some_and(|(_, at)| since > at);
        served.old = Some((version, since));
        self.last_old = self.last_old.max(sent);
    }

    fn renewed(&self) -> usize {
        self.instances
            .values()
            .filter(|served| served.new.is_some())
            .count()
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.renewed() >= MIN_INSTANCES
            && now.saturating_duration_since(self.last_old) >= SETTLE_TIME
    }
}

/// Changes the title and a price, then observes the versions served. Returns whether they are
/// correct.
pub(crate) async fn during_the_rush(rush: &Rush, seller: &Buyer) -> Result<bool> {
    let before = rush.api.program(&rush.program).await;
    let version = before.body["version"]
        .as_u64()
        .context("cannot read the program")?;
    let price = before.body["categories"][2]["price_cents"]
        .as_i64()
        .context("the program has no balcony")?;
    let change = json!({
        "version": version, "title": "Winter concert, extra choir",
        "categories": [{ "no": 2, "price_cents": price + PRICE_INCREASE_CENTS }],
    });
    let answer = update(&rush.api, seller, &rush.program, &change).await;
    let new = answer.body["version"].as_u64().filter(|new| *new > version);
    let new =
        new.with_context(|| format!("cannot change the program: {} {}", answer.http, answer.body))?;
    let now = Instant::now();
    let watch = Arc::new(Mutex::new(VersionWatch {
        changed: now,
        version: new,
        instances: BTreeMap::new(),
        last_old: now,
    }));
    output::done(&format!(
        "the program has changed: version {version} -> {new}, the balcony costs \
         {PRICE_INCREASE_CENTS} cents more"
    ));
    let mut readers = JoinSet::new();
    for _ in 0..READERS {
        readers.spawn(read_repeatedly(
            rush.api.clone(),
            rush.program.clone(),
            watch.clone(),
        ));
    }
    while let Some(ended) = readers.join_next().await {
        ended.context("a reader panicked")?;
    }
    let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(report(&watch))
}

/// Repeats the change after a failure. Its version makes it happen once: a repetition is answered
/// with a conflict, and the program then shows the change.
async fn update(api: &ApiClient, seller: &Buyer, program: &str, change: &Value) -> Answer {
    let until = Instant::now() + TIMEOUT;
    let mut unanswered = false;
    loop {
        let answer = api.update_program(seller, program, change).await;
        match answer.http {
            409 if unanswered => return api.program(program).await,
            0 | 500.. if Instant::now() < until => unanswered = true,
            _ => return answer,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn read_repeatedly(api: ApiClient, program: String, watch: Arc<Mutex<VersionWatch>>) {
    let until = Instant::now() + TIMEOUT;
    while Instant::now() < until {
        let sent = Instant::now();
        let answer = api.program(&program).await;
        let answered = Instant::now();
        {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.record(sent, answered, &answer);
            if watch.is_settled(answered) {
                return;
            }
        }
        // The buyers, not these readers, must produce the load.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn report(watch: &VersionWatch) -> bool {
    output::line(&format!(
        "  {:<18} {:>12} {:>12} {:>14}",
        "INSTANCE", "SERVED", "SERVES", "AFTER"
    ));
    let shown = |version: Option<(u64, Duration)>| {
        version.map_or("-".to_owned(), |(version, _)| format!("version {version}"))
    };
    for (instance, served) in watch.instances.iter().take(6) {
        let after = served
            .new
            .map_or("-".to_owned(), |(_, at)| format!("{} ms", at.as_millis()));
        output::line(&format!(
            "  {instance:<18} {:>12} {:>12} {after:>14}",
            shown(served.old),
            shown(served.new)
        ));
    }
    let slowest = watch
        .instances
        .values()
        .filter_map(|served| served.old)
        .map(|(_, at)| at.as_millis())
        .max();
    let old = slowest.map_or(
        "no old version was served after the change".to_owned(),
        |ms| {
            format!("the last request answered with the old one was sent {ms} ms after the change")
        },
    );
    let seen = watch.instances.len();
    let renewed = watch.renewed();
    let back = watch
        .instances
        .values()
        .filter(|served| served.went_back)
        .count();
    let behind = seen - renewed;
    let right = renewed >= MIN_INSTANCES && back == 0;
    let result = format!("{renewed} of {seen} observed instances serve the new version; {old}");
    if right {
        output::done(&result);
    } else {
        output::fault(&format!(
            "{result}; {back} returned to the old one, {behind} never served it; at least \
             {MIN_INSTANCES} must"
        ));
    }
    right
}
