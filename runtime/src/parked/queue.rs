//! Dead letters in a queue.

use std::time::Duration;

use super::route::{RecordRange, ReturnRoute, reason, route};
use super::stores::QueueSources;
use super::{DeadLetterView, ReplaySummary, records};
use crate::client::{InvokeClient, InvokeReply};
use crate::sources::sqs::{DeadLetter, Sqs};

/// How long received dead letters stay hidden from other consumers.
const VISIBILITY: Duration = Duration::from_secs(60);

pub(super) async fn peek(
    sqs: &Sqs,
    queue: &str,
    sources: &QueueSources,
    limit: usize,
) -> Result<Vec<DeadLetterView>, String> {
    let mut dead_letters: Vec<DeadLetter> = Vec::new();
    let mut read = Ok(());
    while dead_letters.len() < limit {
        let left = limit - dead_letters.len();
        match sqs.receive_dead_letters(queue, left, VISIBILITY).await {
            Ok(more) if more.is_empty() => break,
            Ok(more) => dead_letters.extend(more),
            Err(error) => {
                read = Err(format!("queue {queue}: {error}"));
                break;
            }
        }
    }
    // released also after an error
    if let Some(why) = sqs.release_dead_letters(queue, &dead_letters).await {
        tracing::warn!(queue, "some dead letters stay hidden for a minute: {why}");
    }
    read?;
    Ok(dead_letters
        .iter()
        .map(|dead| view(sources, dead))
        .collect())
}

fn view(sources: &QueueSources, dead: &DeadLetter) -> DeadLetterView {
    let back_to = match route(sources, dead) {
        Ok(ReturnRoute::Queue(queue)) => format!("queue {queue}"),
        Ok(ReturnRoute::Event(function, _)) => format!("function {function}, as an event"),
        Ok(ReturnRoute::Records(ranges)) => {
            let ranges: Vec<String> = ranges.iter().map(RecordRange::to_string).collect();
            ranges.join(", ")
        }
        Err(why) => format!("nowhere: {why}"),
    };
    DeadLetterView {
        id: dead.id.clone(),
        sent_ms: dead.sent_ms,
        reason: reason(dead),
        back_to,
        body: dead.body.clone(),
    }
}

pub(super) async fn replay(
    sqs: &Sqs,
    queue: &str,
    sources: &QueueSources,
    limit: usize,
    host: Option<&InvokeClient>,
) -> Result<ReplaySummary, String> {
    let mut summary = ReplaySummary::default();
    let mut staying: Vec<DeadLetter> = Vec::new();
    let mut tried = 0;
    let mut outcome = Ok(());
    // a dead letter that fails again during the replay returns to this queue: one attempt each
    let count = sqs
        .count(queue)
        .await
        .map_err(|error| format!("queue {queue}: {error}"))?;
    let limit = limit.min(count as usize);
    while tried < limit {
        let left = limit - tried;
        let dead_letters = match sqs.receive_dead_letters(queue, left, VISIBILITY).await {
            Ok(dead_letters) if dead_letters.is_empty() => break,
            Ok(dead_letters) => dead_letters,
            Err(error) => {
                outcome = Err(format!("queue {queue}: {error}"));
                break;
            }
        };
        for dead in dead_letters {
            tried += 1;
            // a later message of the same group would overtake the one that stays
            let blocked =
                dead.group.is_some() && staying.iter().any(|other| other.group == dead.group);
            let returned = if blocked {
                Err("an earlier one of its group stays".to_owned())
            } else {
                replay_one(sqs, sources, &dead, host).await
            };
            match returned {
                Ok(count) => {
                    summary.dead_letters += 1;
                    summary.records += count;
                    let deleted = std::slice::from_ref(&dead);
                    if let Some(why) = sqs.delete_dead_letters(queue, deleted).await {
                        summary.stayed.push(format!(
                            "{} is back at its source, but could not be deleted here: {why}",
                            dead.id
                        ));
                    }
                }
                Err(why) => {
                    summary.stayed.push(format!("{}: {why}", dead.id));
                    staying.push(dead);
                }
            }
        }
    }
    sqs.release_dead_letters(queue, &staying).await;
    outcome.map(|()| summary)
}

/// Returns the number of records that the source accepted.
async fn replay_one(
    sqs: &Sqs,
    sources: &QueueSources,
    dead: &DeadLetter,
    host: Option<&InvokeClient>,
) -> Result<u64, String> {
    match route(sources, dead)? {
        ReturnRoute::Queue(queue) => sqs
            .resend(&queue, dead)
            .await
            .map(|()| 1)
            .map_err(|error| format!("queue {queue}: {error}")),
        ReturnRoute::Records(ranges) => records::append_again(ranges).await,
        ReturnRoute::Event(function, payload) => {
            submit_event(&function, payload, host).await.map(|()| 1)
        }
    }
}

/// Submits the event to the running host, which stores it on disk before it responds.
async fn submit_event(
    function: &str,
    payload: String,
    host: Option<&InvokeClient>,
) -> Result<(), String> {
    let response = match host {
        Some(host) => host.invoke(function, payload.into(), true, false).await,
        None => InvokeReply::Unreachable,
    };
    match response {
        InvokeReply::Answer(_) => Ok(()),
        InvokeReply::Refused(why) => Err(format!("the running host refuses the event: {why}")),
        InvokeReply::Unreachable => {
            Err("events need a running host. Start one with `usher up`".to_owned())
        }
        InvokeReply::Broken(why) => Err(format!(
            "the host stopped responding ({why}); it may have accepted the event"
        )),
    }
}
