//! A parked record goes back to its topic.
//!
//! At least once: should this process die between the brokers' word and the note of it, the record is on its topic and counts as
//! parked still; whoever replays it again makes a second copy. An order bears that: it is stored once, by its number and nonce. A
//! call of the API is counted once for each copy.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;
use shared::message::UserId;
use shared::store::{ParkedId, ParkedRecord, ReplayBegun, ReplayEnd, ToReplay};

use super::{missing, parse, view};
use crate::http::{Call, Problem, Reply};
use crate::kafka::Published;
use crate::storefront::Storefront;

/// How much longer than a delivery the right to replay lasts: time to note its end.
const LEASE_SLACK: Duration = Duration::from_secs(15);

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// How often the record was replayed, as far as the caller knows.
    #[serde(default)]
    replays: u32,
}

/// `POST /parked/{id}/replay`: once, however often it is clicked. To replay a record again one has to say so: by the number of
/// replays that one knows of.
pub async fn replay(shop: &Storefront, id: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    call.claims.require_scope("parked:write")?;
    let id = parse(id)?;
    let Asked { replays } = if call.body.is_empty() {
        Asked::default()
    } else {
        call.json()?
    };
    own(shop, id).await?;
    let lease = Duration::from_millis(shop.settings.windows.delivery_ms) + LEASE_SLACK;
    let began = Instant::now();
    match shop.store.begin_replay(id, replays, &user, lease).await? {
        // Somebody else may have it by the time that the brokers do, if this process stood still.
        ReplayBegun::Yes(record) if began.elapsed() >= LEASE_SLACK / 2 => {
            note(
                shop,
                &record,
                ReplayEnd::Refused("the storefront stood still meanwhile"),
            )
            .await;
            let detail = "the storefront stood still for too long; the record stays parked, and can be replayed again";
            Err(
                Problem::new(503, "replay_failed", "The record was not replayed", detail)
                    .retry_after(2),
            )
        }
        ReplayBegun::Yes(record) => put_back(shop, &record, &user).await,
        ReplayBegun::Busy(_) => Err(busy(id)),
        ReplayBegun::Differs(record) => Err(differs(&record)),
        ReplayBegun::Discarded(_) => Err(Problem::new(
            409,
            "already_discarded",
            "The record was discarded",
            format_args!("record {id} was discarded"),
        )),
        ReplayBegun::Missing => Err(missing(id)),
    }
}

/// A sample event, or one of a test, may name a topic of somebody else: nothing is put there.
async fn own(shop: &Storefront, id: ParkedId) -> Result<(), Problem> {
    let found = shop
        .store
        .parked_record(id, 0, 0)
        .await?
        .ok_or_else(|| missing(id))?;
    if [&shop.settings.topic, &shop.settings.calls.topic].contains(&&found.record.topic) {
        return Ok(());
    }
    let detail = format!(
        "record {id} came from topic {}, which is not one of this environment's",
        found.record.topic
    );
    Err(Problem::new(
        409,
        "foreign_topic",
        "Not a topic of this environment",
        detail,
    )
    .with("topic", found.record.topic))
}

async fn put_back(shop: &Storefront, record: &ToReplay, user: &UserId) -> Result<Reply, Problem> {
    let id = record.id;
    let published = shop
        .publisher
        .put_back(
            &record.topic,
            record.key.as_deref(),
            record.value.as_deref(),
        )
        .await;
    tracing::info!(parked = %id, by = user.as_str(), attempt = record.attempt, ?published, "replay");
    match published {
        Published::Acknowledged {
            partition, offset, ..
        } => {
            if let Err(error) = shop
                .store
                .end_replay(record, &ReplayEnd::Published { partition, offset })
                .await
            {
                tracing::error!(parked = %id, partition, offset, %error, "replayed, but that could not be noted");
                let detail = "the record is on its topic again, but that could not be noted; it counts as parked still";
                return Err(unknown(detail)
                    .with("partition", partition)
                    .with("offset", offset));
            }
            let record = shop
                .store
                .parked_record(id, 0, 0)
                .await?
                .ok_or_else(|| missing(id))?;
            let mut body = view::record(&record.record);
            body["replayed"] = json!({ "partition": partition, "offset": offset });
            Ok(Reply::ok(body))
        }
        Published::Refused(why) => {
            note(shop, record, ReplayEnd::Refused(&why)).await;
            let detail = format!("the record could not be passed on and stays parked: {why}");
            Err(
                Problem::new(503, "replay_failed", "The record was not replayed", detail)
                    .retry_after(2),
            )
        }
        Published::Unknown(why) => {
            note(shop, record, ReplayEnd::Unknown(&why)).await;
            Err(unknown(format_args!(
                "it is not known whether the brokers have the record ({why}); it counts as parked still"
            )))
        }
    }
}

/// A failure that cannot be noted either ends by itself: the right to replay lapses.
async fn note(shop: &Storefront, record: &ToReplay, end: ReplayEnd<'_>) {
    if let Err(error) = shop.store.end_replay(record, &end).await {
        tracing::error!(parked = %record.id, %error, ?end, "the end of a replay could not be noted");
    }
}

fn unknown(detail: impl std::fmt::Display) -> Problem {
    Problem::new(503, "replay_unknown", "The outcome is not known", detail).retry_after(2)
}

pub(super) fn busy(id: ParkedId) -> Problem {
    let detail =
        format_args!("record {id} is being replayed at this moment; look at it again in a while")
            .to_string();
    Problem::new(409, "replay_under_way", "A replay is under way", detail)
}

pub(super) fn differs(record: &ParkedRecord) -> Problem {
    let id = record.id;
    let replays = record.replays;
    let detail = format!(
        "record {id} has been replayed {replays} times; to replay it once more, send {{\"replays\": {replays}}}"
    );
    Problem::new(409, "already_replayed", "The record was replayed", detail)
        .with("replays", replays)
}
