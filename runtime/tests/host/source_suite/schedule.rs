//! A schedule that fires each second. Its items are its times, so that the items of a test are
//! known before they are fired. It fires before and after them as well.

use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::Value;
use testkit::eventually;

use super::asynchronous::{ON_DISK, limit, place, unfinished};
use super::sqs::{count, create, dead, server};
use super::{Declaration, Place, Promise, Setup, SourceUnderTest};
use crate::kafka_fixture::random;
use crate::sources_fixture::Host;
use crate::sqs_fixture::endpoint;

pub(crate) struct Schedule {
    setup: Setup,
    name: String,
    /// The last planned time.
    planned: Mutex<Timestamp>,
}

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl SourceUnderTest for Schedule {
    const KIND: &'static str = "schedule";
    const NAME: &'static str = "schedule";
    const MANY: usize = 4;
    const GIVES_UP: bool = true;

    fn exempt(promise: Promise) -> Option<&'static str> {
        match promise {
            Promise::Order => Some("each firing is an asynchronous invocation, without order"),
            Promise::Pause => Some(
                "a schedule is switched off by `State` or `Enabled` in the template, and by \
                 `usher up --schedules off`",
            ),
            Promise::Absent | Promise::Deleted | Promise::Unreadable | Promise::Away => {
                Some(ON_DISK)
            }
            _ => None,
        }
    }

    async fn new(setup: Setup) -> Self {
        let name = format!("s{}", random());
        if setup.attempts.is_some() {
            create(&dead(&name), [].into()).await;
        }
        Self {
            setup,
            name,
            planned: Mutex::new(Timestamp::UNIX_EPOCH),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn declare(&self) -> Declaration {
        let properties = format!(
            "{}      Events:
        Items:
          Type: ScheduleV2
          Properties:
            ScheduleExpression: rate(1 minute)
            Input: '{{\"item\": \"{}-0.<aws.scheduler.scheduled-time>\"}}'
",
            limit(self.setup, &self.name),
            self.name
        );
        Declaration {
            properties,
            settings: vec![
                server(&endpoint()),
                format!(
                    "schedules.'{}.Items' = 'rate(1 second)'",
                    self.setup.function
                ),
            ],
        }
    }

    fn place(&self) -> Place {
        place(self.setup)
    }

    /// Times that a schedule of a running host has not reached: an item has the whole second that
    /// is nearest to its time.
    fn plan(&self, count: usize) -> Vec<String> {
        let mut planned = self.planned.lock().unwrap();
        let next = Timestamp::now().round(Unit::Second).unwrap() + SECOND * 2;
        let first = next.max(*planned + SECOND);
        *planned = first + SECOND * (count as i32 - 1);
        let item = |number: usize| {
            let time = first + SECOND * number as i32;
            format!("{}-0.{time}", self.name)
        };
        (0..count).map(item).collect()
    }

    /// Waits until every item was fired: the function has begun with it, or it waits for others.
    async fn send(&self, host: &Host, items: &[String]) {
        let log = host.path().join("items/log");
        let last = *self.planned.lock().unwrap();
        eventually(&format!("{items:?} are fired"), async || {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let begun = |item: &&String| log.contains(item.as_str());
            let missing = items.iter().filter(|item| !begun(item)).count() as u64;
            let entry = self.place().entry(&host.json("/_usher/status").await);
            let is_past = Timestamp::now() > last + SECOND;
            (missing == 0 || (is_past && entry["waiting"].as_u64()? >= missing)).then_some(())
        })
        .await;
    }

    fn lag(entry: &Value) -> Option<u64> {
        unfinished(entry)
    }

    fn is_lag(lag: u64, items: u64) -> bool {
        lag >= items && (items > 0 || lag == 0)
    }

    /// The file of the events is the host's own.
    async fn is_empty(&self) -> bool {
        true
    }

    async fn dead_letters(&self) -> u64 {
        count(&dead(&self.name)).await
    }
}
