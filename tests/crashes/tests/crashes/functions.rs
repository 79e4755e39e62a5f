//! Each function, killed at each of its waits.

use serde_json::json;
use shared::sale::Status;
use storefront::http::Call;
use storefront::payments::signature::sign;
use storefront::{Clock, SystemClock};

use crate::dying::{at_waits, killed_after, whole};
use crate::log::Broker;
use crate::world::{EITHER, First, SECRET, World, call, order_of, tick, with};

/// Every wait of a request or a batch; a tick has hundreds, mostly for one answer of many to a
/// single question.
const EVERY: usize = 12;
/// Of a tick the first few, then samples.
const SAMPLES: usize = 4;

#[tokio::test]
async fn a_storefront_may_die_between_any_steps() {
    with(async |world| {
        for broker in [
            Broker::Sound,
            Broker::Silent,
            Broker::Lossy,
            Broker::Refusing,
        ] {
            for first in EITHER {
                let round = async |waits| {
                    world.log.treat_as(broker);
                    let answer =
                        killed_after(waits, world.storefront().serve(&world.wish(None))).await;
                    world.recover(first).await;
                    if let Some(answer) = &answer {
                        let row = world.promised(answer).await;
                        assert_eq!(
                            row.is_some(),
                            broker == Broker::Sound,
                            "{broker:?}: {answer:?}"
                        );
                    }
                    world.time_is_up().await;
                    whole(answer)
                };
                let killed = at_waits(EVERY, round).await;
                assert!(killed > 3, "{broker:?}: killed {killed} times only");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_gets_one_order() {
    with(async |world| {
        for (broker, then) in [
            (Broker::Sound, Broker::Sound),
            (Broker::Lossy, Broker::Sound),
            (Broker::Silent, Broker::Lossy),
        ] {
            for first in EITHER {
                let round = async |waits| {
                    let key = format!("{broker:?}-{first:?}-{waits}");
                    world.log.treat_as(broker);
                    let died =
                        killed_after(waits, world.storefront().serve(&world.wish(Some(&key))))
                            .await;
                    world.log.treat_as(then);
                    // The hall has room for one order of hers only: a second one would be refused.
                    let answer = world.app.serve(&world.wish(Some(&key))).await;
                    world.recover(first).await;
                    if then == Broker::Sound {
                        assert!(
                            world.promised(&answer).await.is_some(),
                            "{broker:?} {waits}: {answer:?}"
                        );
                    } else {
                        world.promised(&answer).await;
                    }
                    world.time_is_up().await;
                    whole(died)
                };
                at_waits(EVERY, round).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn order_create_may_die_between_any_steps() {
    with(async |world| {
        let round = async |waits| {
            let order = accepted(world).await;
            let (batch, _) = world.log.event(0);
            let batch = batch.expect("a record");
            let handled = killed_after(waits, world.creator().handle(&batch)).await;
            world.recover(First::Create).await;
            assert_eq!(
                world.row(order).await.map(|row| row.status),
                Some(Status::Unpaid)
            );
            world.time_is_up().await;
            whole(handled)
        };
        assert!(at_waits(EVERY, round).await > 3);
    })
    .await;
}

#[tokio::test]
async fn the_closer_may_die_between_any_steps() {
    with(async |world| {
        for stored in [false, true] {
            let round = async |waits| {
                if stored {
                    accepted(world).await;
                    world.create().await;
                    world.overdue().await;
                } else {
                    world.die_holding().await;
                }
                world.all_due().await;
                let report = killed_after(waits, tick(&world.closer())).await;
                world.recover(First::Closer).await;
                world.time_is_up().await;
                whole(report)
            };
            assert!(at_waits(SAMPLES, round).await > 3);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_may_die_between_any_steps() {
    with(async |world| {
        for stored in [false, true] {
            let round = async |waits| {
                let order = accepted(world).await;
                if stored {
                    world.create().await;
                }
                let cancel = call(
                    "POST",
                    &format!("/orders/{order}/cancel"),
                    "alice",
                    &json!(null),
                );
                let died = killed_after(waits, world.storefront().serve(&cancel)).await;
                let again = world
                    .app
                    .serve(&cancel)
                    .await
                    .expect("cancelled, once or twice");
                assert_eq!(again.status, 200);
                world.recover(First::Create).await;
                let status = world.row(order).await.map(|row| row.status);
                assert!(
                    matches!(status, Some(Status::Cancelled | Status::Void)),
                    "{status:?}"
                );
                world.time_is_up().await;
                whole(died)
            };
            assert!(at_waits(EVERY, round).await > 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_may_die_between_any_steps() {
    with(async |world| {
        for stored in [false, true] {
            let mut n = 0;
            let round = async |waits| {
                n += 1;
                let order = accepted(world).await;
                if stored {
                    world.create().await;
                }
                let payment = payment(&format!("p-{stored}-{n}"), &order.to_string());
                let died = killed_after(waits, world.storefront().serve(&payment)).await;
                world.app.serve(&payment).await.expect("believed");
                world.recover(First::Create).await;
                assert_eq!(
                    world.row(order).await.map(|row| row.status),
                    Some(Status::Paid)
                );
                world.time_is_up().await;
                assert_eq!(
                    world.row(order).await.map(|row| row.status),
                    Some(Status::Paid)
                );
                world.refund().await;
                whole(died)
            };
            assert!(at_waits(EVERY, round).await > 1);
        }
    })
    .await;
}

/// An order that was answered with 202.
async fn accepted(world: &World) -> shared::message::OrderNumber {
    world.log.treat_as(Broker::Sound);
    let answer = world
        .app
        .serve(&world.wish(None))
        .await
        .expect("no earlier order counts against the limit");
    order_of(&answer)
}

fn payment(reference: &str, order: &str) -> Call {
    let now = SystemClock.now_s();
    let mut call = call(
        "POST",
        "/payments",
        "",
        &json!({"reference": reference, "order": order, "amount_cents": 200}),
    );
    call.headers
        .insert("x-payment-timestamp".to_owned(), now.to_string());
    call.headers.insert(
        "x-payment-signature".to_owned(),
        sign(SECRET.as_bytes(), now, &call.body),
    );
    call
}
