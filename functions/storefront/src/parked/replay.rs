//! Publishes a parked record to its topic again.
//!
//! At least once: if this process dies between the acknowledgement and the row's update, the record
//! is on its topic and still counts as parked; another replay then publishes a second copy.
//! order-create stores an order once, by number and nonce. The collector counts an API call once
//! for each copy.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use shared::message::UserId;
use shared::store::{ParkedId, ParkedRecord, ReplayBegun, ReplayEnd, ToReplay};

use super::{missing, parse, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};
use crate::kafka::Published;

/// How much longer than a delivery the lease on a replay lasts: time to record the outcome.
const LEASE_SLACK: Duration = Duration::from_secs(15);

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct ReplayBody {
    /// Number of replays that the caller has seen.
    #[serde(default)]
    replays: u32,
}

/// `POST /parked/{id}/replay`. Repeated requests replay the record once. To replay it again, the
/// caller sends the number of replays so far.
pub async fn replay(app: &App, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user_with("parked:write")?;
    let id = parse(id)?;
    let ReplayBody { replays } = if call.body.is_empty() {
        ReplayBody::default()
    } else {
        call.json()?
    };
    check_topic(app, id).await?;
    let lease = Duration::from_millis(app.settings.windows.delivery_ms) + LEASE_SLACK;
    let began = Instant::now();
    match app.store.begin_replay(id, replays, &user, lease).await? {
        // This process was suspended: another one may hold the lease before the broker has the
        // record.
        ReplayBegun::Yes(record) if began.elapsed() >= LEASE_SLACK / 2 => {
            let end = ReplayEnd::Refused("the storefront was suspended");
            record_end(app, &record, end).await;
            let detail = "the storefront was suspended for too long; the record stays parked and \
                          can be replayed";
            Err(failed(detail))
        }
        ReplayBegun::Yes(record) => put_back(app, &record, &user).await,
        ReplayBegun::Busy(_) => Err(busy(id)),
        ReplayBegun::Differs(record) => Err(differs(&record)),
        ReplayBegun::Discarded(_) => {
            let detail = format_args!("record {id} was discarded");
            let title = "The record was discarded";
            Err(Problem::conflict("already_discarded", title, detail))
        }
        ReplayBegun::Missing => Err(missing(id)),
    }
}

/// Refuses a topic of another environment, which a sample event or a test may name.
async fn check_topic(app: &App, id: ParkedId) -> Result<(), Problem> {
    let topic = find(app, id).await?.topic;
    if [&app.settings.topic, &app.settings.calls.topic].contains(&&topic) {
        return Ok(());
    }
    let detail =
        format!("record {id} came from topic {topic}, which does not belong to this environment");
    let title = "Not a topic of this environment";
    Err(Problem::conflict("foreign_topic", title, detail).with("topic", topic))
}

/// The record without its bytes.
async fn find(app: &App, id: ParkedId) -> Result<ParkedRecord, Problem> {
    let found = app.store.parked_record(id, 0, 0).await?;
    Ok(found.ok_or_else(|| missing(id))?.record)
}

async fn put_back(app: &App, record: &ToReplay, user: &UserId) -> Result<Reply, Problem> {
    let id = record.id;
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    let published = app.publisher.put_back(&record.topic, key, value).await;
    let attempt = record.attempt;
    tracing::info!(parked = %id, by = user.as_str(), attempt, ?published, "an operator replayed a record");
    match published {
        Published::Acknowledged {
            partition, offset, ..
        } => {
            let end = ReplayEnd::Published { partition, offset };
            if let Err(error) = app.store.end_replay(record, &end).await {
                tracing::error!(parked = %id, partition, offset, %error, "replayed the record, \
                    but could not record the replay");
                let detail = "the record is on its topic again, but that could not be recorded; \
                              it still counts as parked";
                return Err(unknown(detail)
                    .with("partition", partition)
                    .with("offset", offset));
            }
            let mut body = view::record(&find(app, id).await?);
            body["replayed"] = json!({ "partition": partition, "offset": offset });
            Ok(Reply::ok(body))
        }
        Published::Refused(why) => {
            record_end(app, record, ReplayEnd::Refused(&why)).await;
            Err(failed(format_args!(
                "the record could not be published and stays parked: {why}"
            )))
        }
        Published::Unknown(why) => {
            record_end(app, record, ReplayEnd::Unknown(&why)).await;
            Err(unknown(format_args!(
                "it is not known whether the brokers have the record ({why}); it still counts as \
                 parked"
            )))
        }
    }
}

/// Records the outcome of a replay. If that fails, the lease expires.
async fn record_end(app: &App, record: &ToReplay, end: ReplayEnd<'_>) {
    if let Err(error) = app.store.end_replay(record, &end).await {
        tracing::error!(parked = %record.id, %error, ?end, "cannot record the outcome of a \
            replay; its lease expires");
    }
}

fn failed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(503, "replay_failed", "The record was not replayed", detail).retry_after(2)
}

fn unknown(detail: impl std::fmt::Display) -> Problem {
    Problem::new(503, "replay_unknown", "The outcome is not known", detail).retry_after(2)
}

pub(super) fn busy(id: ParkedId) -> Problem {
    let detail = format!("record {id} is being replayed at this moment; try again later");
    Problem::conflict("replay_under_way", "A replay is under way", detail)
}

pub(super) fn differs(record: &ParkedRecord) -> Problem {
    let id = record.id;
    let replays = record.replays;
    let detail = format!(
        "record {id} has been replayed {replays} times; to replay it again, send \
         {{\"replays\": {replays}}}"
    );
    Problem::conflict("already_replayed", "The record was replayed", detail)
        .with("replays", replays)
}
