//! A program is changed while buyers rush it: every instance of storefront must serve the new version, and none may go back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use ticket_rush::shop::{Answer, Buyer, Shop};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::buyer::Rush;
use crate::say;

/// So many instances at least must serve the new version.
const INSTANCES: usize = 3;
/// Clients that look at the program at the same time, so that several instances answer.
const WATCHERS: usize = 8;
/// They look for so long after the last answer of the old version.
const QUIET: Duration = Duration::from_secs(1);
/// And no longer than this in all.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the balcony costs more from now on.
const DEARER_CENTS: i64 = 500;

/// What an instance served.
#[derive(Debug, Clone, Copy, Default)]
struct Served {
    /// The last old version, and when it was asked for, counted from the change.
    old: Option<(u64, Duration)>,
    /// The first new version, and when it was answered.
    new: Option<(u64, Duration)>,
    /// It served an old version to somebody who asked after it had served the new one.
    went_back: bool,
}

#[derive(Debug)]
struct Watch {
    changed: Instant,
    version: u64,
    instances: BTreeMap<String, Served>,
    last_old: Instant,
}

impl Watch {
    fn note(&mut self, asked: Instant, answered: Instant, answer: &Answer) {
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
        let since = asked.saturating_duration_since(self.changed);
        served.went_back |= served.new.is_some_and(|(_, at)| since > at);
        served.old = Some((version, since));
        self.last_old = self.last_old.max(asked);
    }

    fn renewed(&self) -> usize {
        self.instances
            .values()
            .filter(|served| served.new.is_some())
            .count()
    }

    fn is_settled(&self, now: Instant) -> bool {
        self.renewed() >= INSTANCES && now.saturating_duration_since(self.last_old) >= QUIET
    }
}

/// Changes title and a price, then watches who serves what. True if all is as it must be.
pub(crate) async fn during_the_rush(rush: &Rush, seller: &Buyer) -> Result<bool> {
    let before = rush.shop.program(&rush.program).await;
    let version = before.body["version"]
        .as_u64()
        .context("the program cannot be read")?;
    let price = before.body["categories"][2]["price_cents"]
        .as_i64()
        .context("the program has no balcony")?;
    let change = json!({
        "version": version, "title": "Winter concert, extra choir",
        "categories": [{ "no": 2, "price_cents": price + DEARER_CENTS }],
    });
    let answer = change_it(&rush.shop, seller, &rush.program, &change).await;
    let new = answer.body["version"].as_u64().filter(|new| *new > version);
    let new = new.with_context(|| {
        format!(
            "the program could not be changed: {} {}",
            answer.http, answer.body
        )
    })?;
    let now = Instant::now();
    let watch = Arc::new(Mutex::new(Watch {
        changed: now,
        version: new,
        instances: BTreeMap::new(),
        last_old: now,
    }));
    say::done(&format!(
        "the program is changed during the rush: version {version} -> {new}, the balcony {DEARER_CENTS} cents dearer"
    ));
    let mut watchers = JoinSet::new();
    for _ in 0..WATCHERS {
        watchers.spawn(look_on(
            rush.shop.clone(),
            rush.program.clone(),
            watch.clone(),
        ));
    }
    while let Some(ended) = watchers.join_next().await {
        ended.context("a watcher")?;
    }
    let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(tell(&watch))
}

/// Repeated where a killed function or a server that is away left it without an answer. By its version it happens once: a repeat
/// of what was done already is told of a conflict, and the program itself then shows that it was.
async fn change_it(shop: &Shop, seller: &Buyer, program: &str, change: &Value) -> Answer {
    let until = Instant::now() + PATIENCE;
    let mut unanswered = false;
    loop {
        let answer = shop.change(seller, program, change).await;
        match answer.http {
            409 if unanswered => return shop.program(program).await,
            0 | 500.. if Instant::now() < until => unanswered = true,
            _ => return answer,
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn look_on(shop: Shop, program: String, watch: Arc<Mutex<Watch>>) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let asked = Instant::now();
        let answer = shop.program(&program).await;
        let answered = Instant::now();
        {
            let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
            watch.note(asked, answered, &answer);
            if watch.is_settled(answered) {
                return;
            }
        }
        // A human pace: the rush, not this, is what loads the shop.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn tell(watch: &Watch) -> bool {
    say::line(&format!(
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
        say::line(&format!(
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
            format!("the last request that was shown the old one was sent {ms} ms after the change")
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
    let right = renewed >= INSTANCES && back == 0;
    let said = format!("{renewed} of {seen} instances seen serve the new version; {old}");
    if right {
        say::done(&said);
    } else {
        say::fault(&format!(
            "{said}; {back} went back, {behind} never served it; at least {INSTANCES} must"
        ));
    }
    right
}
