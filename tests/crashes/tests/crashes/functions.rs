//! Each function, killed at each of its awaits.

use serde_json::json;
use shared::sale::Status;
use shared::signature::sign;
use storefront::http::Call;
use storefront::http::now_ms;

use crate::dying::{at_waits, killed_after, whole};
use crate::environment::{EITHER, First, SECRET, TestEnvironment, call, order_of, tick, with};
use crate::log::Broker;

/// Every await of a request or a batch. A tick has hundreds, mostly for one reply of a pipeline.
const EVERY: usize = 12;
/// The first awaits of a tick, then samples.
const SAMPLES: usize = 4;

#[tokio::test]
async fn a_storefront_may_die_between_any_steps() {
    with(async |env| {
        for broker in [
            Broker::Sound,
            Broker::Silent,
            Broker::Lossy,
            Broker::Refusing,
        ] {
            for first in EITHER {
                let round = async |waits| {
                    env.log.treat_as(broker);
                    let answer =
                        killed_after(waits, env.storefront().serve(&env.order_request(None))).await;
                    env.recover(first).await;
                    if let Some(answer) = &answer {
                        let row = env.promised(answer).await;
                        assert_eq!(
                            row.is_some(),
                            broker == Broker::Sound,
                            "{broker:?}: {answer:?}"
                        );
                    }
                    env.end_time_to_pay().await;
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
    with(async |env| {
        for (broker, then) in [
            (Broker::Sound, Broker::Sound),
            (Broker::Lossy, Broker::Sound),
            (Broker::Silent, Broker::Lossy),
        ] {
            for first in EITHER {
                let round = async |waits| {
                    let key = format!("{broker:?}-{first:?}-{waits}");
                    env.log.treat_as(broker);
                    let died = killed_after(
                        waits,
                        env.storefront().serve(&env.order_request(Some(&key))),
                    )
                    .await;
                    env.log.treat_as(then);
                    // Her limit allows only one order: a second one would be refused.
                    let answer = env.app.serve(&env.order_request(Some(&key))).await;
                    env.recover(first).await;
                    if then == Broker::Sound {
                        assert!(
                            env.promised(&answer).await.is_some(),
                            "{broker:?} {waits}: {answer:?}"
                        );
                    } else {
                        env.promised(&answer).await;
                    }
                    env.end_time_to_pay().await;
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
    with(async |env| {
        let round = async |waits| {
            let order = accepted(env).await;
            let (batch, _) = env.log.event(0);
            let batch = batch.expect("a record");
            let handled = killed_after(waits, env.creator().handle(&batch)).await;
            env.recover(First::Create).await;
            assert_eq!(
                env.row(order).await.map(|row| row.status),
                Some(Status::Unpaid)
            );
            env.end_time_to_pay().await;
            whole(handled)
        };
        assert!(at_waits(EVERY, round).await > 3);
    })
    .await;
}

#[tokio::test]
async fn the_closer_may_die_between_any_steps() {
    with(async |env| {
        for stored in [false, true] {
            let round = async |waits| {
                if stored {
                    accepted(env).await;
                    env.create().await;
                    env.overdue().await;
                } else {
                    env.die_holding().await;
                }
                env.all_due().await;
                let report = killed_after(waits, tick(&env.closer())).await;
                env.recover(First::Closer).await;
                env.end_time_to_pay().await;
                whole(report)
            };
            assert!(at_waits(SAMPLES, round).await > 3);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cancellation_may_die_between_any_steps() {
    with(async |env| {
        for stored in [false, true] {
            let round = async |waits| {
                let order = accepted(env).await;
                if stored {
                    env.create().await;
                }
                let cancel = call(
                    "POST",
                    &format!("/orders/{order}/cancel"),
                    "alice",
                    &json!(null),
                );
                let died = killed_after(waits, env.storefront().serve(&cancel)).await;
                let again = env
                    .app
                    .serve(&cancel)
                    .await
                    .expect("cancelled, once or twice");
                assert_eq!(again.status, 200);
                env.recover(First::Create).await;
                let status = env.row(order).await.map(|row| row.status);
                assert!(
                    matches!(status, Some(Status::Cancelled | Status::Void)),
                    "{status:?}"
                );
                env.end_time_to_pay().await;
                whole(died)
            };
            assert!(at_waits(EVERY, round).await > 1);
        }
    })
    .await;
}

#[tokio::test]
async fn a_payment_may_die_between_any_steps() {
    with(async |env| {
        for stored in [false, true] {
            let mut n = 0;
            let round = async |waits| {
                n += 1;
                let order = accepted(env).await;
                if stored {
                    env.create().await;
                }
                let payment = payment(&format!("p-{stored}-{n}"), &order.to_string());
                let died = killed_after(waits, env.storefront().serve(&payment)).await;
                env.app.serve(&payment).await.expect("believed");
                env.recover(First::Create).await;
                assert_eq!(
                    env.row(order).await.map(|row| row.status),
                    Some(Status::Paid)
                );
                env.end_time_to_pay().await;
                assert_eq!(
                    env.row(order).await.map(|row| row.status),
                    Some(Status::Paid)
                );
                env.refund().await;
                whole(died)
            };
            assert!(at_waits(EVERY, round).await > 1);
        }
    })
    .await;
}

/// An order that was answered with 202.
async fn accepted(env: &TestEnvironment) -> shared::message::OrderNumber {
    env.log.treat_as(Broker::Sound);
    let answer = env
        .app
        .serve(&env.order_request(None))
        .await
        .expect("no earlier order counts against the limit");
    order_of(&answer)
}

fn payment(reference: &str, order: &str) -> Call {
    let now = now_ms() / 1000;
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
