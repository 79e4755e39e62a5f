//! Random sequences of operations, compared with a plain model after each step: the whole state of
//! Redis, not only the results.

mod compare;
mod confirm;
mod operations;
mod plain;

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::gate::{
    Abandoned, Accepted, Epoch, FillBegun, LiveOrder, Merged, OrderAt, Settle, SettleTo, Settled,
};
use shared::message::{Nonce, OrderNumber};
use shared::sale::SeatSelection;

use compare::compare;
use operations::{Operation, SeatChoice, operations};
use plain::{Model, indexes, key_text, state_of};

use crate::environment::{ENDS, TestEnvironment, category, hash, idem, mine, nonce, number, uid};

/// Two categories: one of a single short chunk, one of three chunks (four rows of 500 each).
const HALLS: &[(u32, u32)] = &[(3, 7), (9, 500)];
const USERS: [&str; 3] = ["alice", "bob:key1", "{c}arol"];
const LIMIT: u32 = 12;

async fn step(environment: &TestEnvironment, model: &mut Model, operation: Operation) {
    let program = environment.at_program();
    let at = |order, nonced: u8| OrderAt {
        order: number(order),
        nonce: nonce(u128::from(nonced)),
        program,
    };
    match operation {
        Operation::Reserve {
            order,
            nonce,
            user,
            want,
            key,
        } => {
            let at = at(order, nonce);
            let wanted = match &want {
                SeatChoice::Seats(cat, seats) => {
                    SeatSelection::seats(category(*cat), indexes(seats))
                }
                SeatChoice::Best(cat, count) => SeatSelection::best(category(*cat), *count),
            };
            let mut request =
                environment.request(at, USERS[user], wanted.expect("a valid request"));
            request.user_limit = LIMIT;
            request.idempotency = key.map(|(key, body)| (idem(&key_text(key)), hash(body)));
            let expected = model.reserve(environment, at, user, &want, key);
            assert_eq!(
                environment.gate.reserve(&request).await,
                Ok(expected),
                "{request:?}"
            );
        }
        Operation::Accept { order, nonce } => {
            let at = at(order, nonce);
            let expected = match model
                .resvs
                .get_mut(&at.order)
                .filter(|resv| resv.nonce == at.nonce)
            {
                None => Accepted::Missing,
                Some(resv) if resv.state == "held" => {
                    resv.state = "accepted";
                    model.entries.insert(at.order, at.nonce);
                    Accepted::Yes
                }
                Some(resv) => Accepted::Found(state_of(resv.state)),
            };
            assert_eq!(
                environment
                    .gate
                    .accept(at, 3, i64::MAX, 1_795_371_222_316, 900_000)
                    .await,
                Ok(expected)
            );
        }
        Operation::Abandon {
            order,
            nonce,
            attempt,
        } => {
            let at = at(order, nonce);
            let expected = match model
                .resvs
                .get_mut(&at.order)
                .filter(|resv| resv.nonce == at.nonce)
            {
                None => Abandoned::Missing,
                Some(resv) if resv.state != "held" => Abandoned::Found(state_of(resv.state)),
                Some(resv) if attempt.is_some_and(|attempt| attempt != resv.attempt) => {
                    Abandoned::Refused
                }
                Some(resv) => {
                    resv.state = "abandoning";
                    Abandoned::WasHeld
                }
            };
            assert_eq!(environment.gate.abandon(at, attempt).await, Ok(expected));
        }
        Operation::Live {
            order,
            nonce,
            user,
            seats,
            due,
        } => live(environment, model, at(order, nonce), user, seats, due).await,
        Operation::Gone {
            order,
            nonce,
            known,
            forget,
        } => {
            let at = at(order, nonce);
            let row = model
                .rows
                .get(&at.order)
                .filter(|row| known && row.0 == at.nonce)
                .cloned();
            let settle = Settle {
                at,
                user: row.as_ref().map(|row| uid(USERS[row.1])),
                key: None,
                seats: row.as_ref().map(|row| (category(row.2), indexes(&row.3))),
                to: SettleTo::Gone { forget_key: forget },
            };
            let freed = model.gone(
                at,
                row.as_ref().map(|row| row.1),
                row.map(|row| row.3),
                None,
                forget,
            );
            assert_eq!(
                environment.gate.settle(&settle).await,
                Ok(Settled::Done {
                    displaced: vec![],
                    freed
                })
            );
        }
        Operation::Confirm { order, nonce } => {
            confirm::confirm(environment, model, at(order, nonce)).await;
        }
        Operation::Refill => refill(environment, model).await,
    }
}

async fn live(
    environment: &TestEnvironment,
    model: &mut Model,
    at: OrderAt,
    user: usize,
    seats: Option<(u16, Vec<u32>)>,
    due: bool,
) {
    // One order has one buyer and one set of seats: those of its reservation or row, where there is
    // one.
    let resv = model
        .resvs
        .get(&at.order)
        .filter(|resv| resv.nonce == at.nonce);
    let known = resv.map(|resv| (resv.user, resv.category, resv.seats.clone()));
    let row = model
        .rows
        .get(&at.order)
        .filter(|row| row.0 == at.nonce)
        .map(|row| (row.1, row.2, row.3.clone()));
    let found = row
        .clone()
        .or(known.clone())
        .or(seats.clone().map(|(cat, seats)| (user, cat, seats)));
    // A reservation made after the row was stored may have other seats; then the row decides.
    let by_reservation = seats.is_none() && known.is_some() && (row.is_none() || row == known);
    let settle = Settle {
        at,
        user: found
            .as_ref()
            .filter(|_| !by_reservation)
            .map(|(user, ..)| uid(USERS[*user])),
        key: None,
        seats: found
            .as_ref()
            .filter(|_| !by_reservation)
            .map(|(_, cat, seats)| (category(*cat), indexes(seats))),
        to: SettleTo::Live {
            due_in_ms: due.then_some(60_000),
        },
    };
    let expected = if model.tombs.get(&at.order) == Some(&at.nonce) {
        Settled::Tombstoned
    } else if let Some((user, cat, seats)) = found {
        Settled::Done {
            displaced: model.live(at, user, cat, &seats, due),
            freed: 0,
        }
    } else {
        Settled::SeatsUnknown
    };
    assert_eq!(
        environment.gate.settle(&settle).await,
        Ok(expected),
        "{settle:?}"
    );
}

async fn refill(environment: &TestEnvironment, model: &mut Model) {
    let program = environment.at_program();
    let () = environment
        .query(&["DEL", &environment.program_key("head")])
        .await;
    let loader = Epoch::new(rand::random());
    assert_eq!(
        environment
            .gate
            .install_begin(&environment.program, None, &loader, 60_000)
            .await,
        Ok(FillBegun::EndsNeeded)
    );
    assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
    model.begin();
    let rows = std::mem::take(&mut model.rows);
    let orders: Vec<LiveOrder> = rows
        .iter()
        .map(|(order, (nonce, user, cat, seats, due))| LiveOrder {
            order: *order,
            nonce: *nonce,
            user: uid(USERS[*user]),
            category: category(*cat),
            seats: indexes(seats),
            due_in_ms: due.then_some(60_000),
        })
        .collect();
    let mut displaced = Vec::new();
    for (order, (nonce, user, cat, seats, due)) in rows {
        let at = OrderAt {
            order,
            nonce,
            program,
        };
        if model.tombs.get(&order) != Some(&nonce) {
            displaced.extend(model.live(at, user, cat, &seats, due));
        }
    }
    let merged = environment
        .gate
        .install_merge(program, &loader, 60_000, &orders)
        .await;
    let Ok(Merged::Done {
        displaced: found,
        outside,
    }) = merged
    else {
        panic!("{merged:?}")
    };
    // Merged together, each displaced order is named once.
    let once = |orders: Vec<_>| orders.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        once(found.iter().map(named).collect()),
        once(displaced.iter().map(named).collect())
    );
    assert_eq!(outside, vec![]);
    assert_eq!(
        environment.gate.install_open(program, &loader).await,
        Ok(true)
    );
}

fn named((order, nonce): &(OrderNumber, Nonce)) -> (OrderNumber, [u8; 16]) {
    (*order, nonce.bytes())
}

#[test]
fn the_gate_equals_the_model_after_any_operations() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let mut runner = TestRunner::new(Config {
        cases: 32,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    });
    let sequences = prop::collection::vec(operations(), 1..40);
    let outcome = runner.run(&sequences, |sequence| {
        runtime.block_on(async {
            let environment = TestEnvironment::open(HALLS).await;
            let mut model = Model::default();
            for operation in sequence {
                step(&environment, &mut model, operation).await;
                compare(&environment, &model).await;
            }
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
