//! Letters in a queue.

use std::time::Duration;

use super::places::Place;
use super::route::{Range, Route, reason, route};
use super::{Replayed, Seen, records};
use crate::client::{InvokeClient, InvokeReply};
use crate::sqs::{Letter, Sqs};

/// How long letters are hidden while a person's command looks at them, or brings them back.
const HIDDEN: Duration = Duration::from_secs(60);

pub(super) async fn peek(sqs: &Sqs, place: &Place, limit: usize) -> Result<Vec<Seen>, String> {
    let mut letters: Vec<Letter> = Vec::new();
    let read = loop {
        let left = limit - letters.len();
        if left == 0 {
            break Ok(());
        }
        match sqs.letters(&place.name, left, HIDDEN).await {
            Ok(more) if more.is_empty() => break Ok(()),
            Ok(more) => letters.extend(more),
            Err(error) => break Err(format!("queue {}: {error}", place.name)),
        }
    };
    // the others are to see them again, whatever happened
    if let Some(why) = sqs.put_back(&place.name, &letters).await {
        tracing::warn!(
            "some letters of {} show themselves again in a minute only: {why}",
            place.name
        );
    }
    read?;
    Ok(letters.iter().map(|letter| seen(place, letter)).collect())
}

fn seen(place: &Place, letter: &Letter) -> Seen {
    let back_to = match route(place, letter) {
        Ok(Route::Queue(queue)) => format!("queue {queue}"),
        Ok(Route::Event(function, _)) => format!("function {function}, as an event"),
        Ok(Route::Records(ranges)) => {
            let words: Vec<String> = ranges.iter().map(Range::to_string).collect();
            words.join(", ")
        }
        Err(why) => format!("nowhere: {why}"),
    };
    Seen {
        id: letter.id.clone(),
        sent_ms: letter.sent_ms,
        reason: reason(letter),
        back_to,
        body: letter.body.clone(),
    }
}

pub(super) async fn replay(
    sqs: &Sqs,
    place: &Place,
    limit: usize,
    host: Option<&InvokeClient>,
) -> Result<Replayed, String> {
    let mut replayed = Replayed::default();
    let mut staying: Vec<Letter> = Vec::new();
    let mut tried = 0;
    let mut outcome = Ok(());
    // what fails at once and comes here again meanwhile is not brought back over and over
    let there = sqs
        .count(&place.name)
        .await
        .map_err(|error| format!("queue {}: {error}", place.name))?;
    let limit = limit.min(there as usize);
    while tried < limit {
        let letters = match sqs.letters(&place.name, limit - tried, HIDDEN).await {
            Ok(letters) => letters,
            Err(error) => {
                outcome = Err(format!("queue {}: {error}", place.name));
                break;
            }
        };
        if letters.is_empty() {
            break;
        }
        for letter in letters {
            tried += 1;
            // what follows a letter that stays in its group would overtake it
            let behind =
                letter.group.is_some() && staying.iter().any(|other| other.group == letter.group);
            let brought = if behind {
                Err("an earlier one of its group stays".to_owned())
            } else {
                bring(sqs, place, &letter, host).await
            };
            match brought {
                Ok(count) => {
                    replayed.letters += 1;
                    replayed.records += count;
                    if let Some(why) = sqs.bury(&place.name, std::slice::from_ref(&letter)).await {
                        replayed.stayed.push(format!(
                            "{} is back at its source, but could not be deleted here: {why}",
                            letter.id
                        ));
                    }
                }
                Err(why) => {
                    replayed.stayed.push(format!("{}: {why}", letter.id));
                    staying.push(letter);
                }
            }
        }
    }
    sqs.put_back(&place.name, &staying).await;
    outcome.map(|()| replayed)
}

/// Brings one letter back. Yields the records that its source took.
async fn bring(
    sqs: &Sqs,
    place: &Place,
    letter: &Letter,
    host: Option<&InvokeClient>,
) -> Result<u64, String> {
    match route(place, letter)? {
        Route::Queue(queue) => sqs
            .send_back(&queue, letter)
            .await
            .map(|()| 1)
            .map_err(|error| format!("queue {queue}: {error}")),
        Route::Records(ranges) => records::again(ranges).await,
        Route::Event(function, payload) => hand_over(&function, payload, host).await.map(|()| 1),
    }
}

/// Has the running host take the event over: it is on its disk then.
async fn hand_over(
    function: &str,
    payload: String,
    host: Option<&InvokeClient>,
) -> Result<(), String> {
    let reply = match host {
        Some(host) => host.invoke(function, payload.into(), true, false).await,
        None => InvokeReply::Unreachable,
    };
    match reply {
        InvokeReply::Answer(_) => Ok(()),
        InvokeReply::Refused(why) => Err(format!("the running host refuses the event: {why}")),
        InvokeReply::Unreachable => Err(
            "events go to a running host, and none runs here. Start one with `usher up`".to_owned(),
        ),
        InvokeReply::Broken(why) => Err(format!(
            "the host went away ({why}); it may have taken the event"
        )),
    }
}
