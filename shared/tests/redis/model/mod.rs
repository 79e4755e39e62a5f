//! Random sequences of verbs, compared with a plain model after each step: the whole state of real
//! Redis, not only the answers.

mod compare;
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
use plain::{Model, indexes, key_text, state_of};

use crate::environment::{ENDS, TestEnvironment, category, idem, mine, nonce, number, uid};

/// Two categories: one of a single short chunk, one of three chunks (four rows of 500 each).
const HALLS: &[(u32, u32)] = &[(3, 7), (9, 500)];
const USERS: [&str; 3] = ["alice", "bob:key1", "{c}arol"];
const LIMIT: u32 = 12;

#[derive(Debug, Clone)]
enum Verb {
    Reserve {
        order: u16,
        nonce: u8,
        user: usize,
        want: Wish,
        key: Option<(u8, u8)>,
    },
    Accept {
        order: u16,
        nonce: u8,
    },
    Abandon {
        order: u16,
        nonce: u8,
        attempt: Option<u32>,
    },
    Live {
        order: u16,
        nonce: u8,
        user: usize,
        seats: Option<(u16, Vec<u32>)>,
        due: bool,
    },
    Gone {
        order: u16,
        nonce: u8,
        known: bool,
        forget: bool,
    },
    Refill,
}

#[derive(Debug, Clone)]
enum Wish {
    Seats(u16, Vec<u32>),
    Best(u16, u32),
}

/// Seats that are near each other and near the borders of rows and chunks, so that orders meet.
fn seats() -> impl Strategy<Value = (u16, Vec<u32>)> {
    let small = prop::collection::btree_set(0_u32..21, 1..5)
        .prop_map(|seats| (0, seats.into_iter().collect()));
    let near = (
        prop::sample::select(vec![21_u32, 515, 2015, 4015, 4515]),
        prop::collection::btree_set(0_u32..12, 1..7),
    );
    let large = near.prop_map(|(from, seats)| {
        (
            1,
            seats
                .into_iter()
                .map(|n| (from + n).min(4520))
                .collect::<Vec<_>>(),
        )
    });
    prop_oneof![
        small,
        large.prop_map(|(cat, mut seats): (u16, Vec<u32>)| {
            seats.dedup();
            (cat, seats)
        })
    ]
}

fn verbs() -> impl Strategy<Value = Verb> {
    let id = (0_u16..7, 0_u8..2);
    let request = prop_oneof![
        seats().prop_map(|(cat, seats)| Wish::Seats(cat, seats)),
        (0_u16..2, 1_u32..9).prop_map(|(cat, count)| Wish::Best(cat, count)),
    ];
    let key = prop::option::of((0_u8..3, 0_u8..2));
    prop_oneof![
        8 => (id.clone(), 0_usize..3, request, key).prop_map(|((order, nonce), user, want, key)| Verb::Reserve { order, nonce, user, want, key }),
        2 => id.clone().prop_map(|(order, nonce)| Verb::Accept { order, nonce }),
        2 => (id.clone(), prop::option::of(1_u32..3)).prop_map(|((order, nonce), attempt)| Verb::Abandon { order, nonce, attempt }),
        3 => (id.clone(), 0_usize..3, prop::option::of(seats()), any::<bool>())
            .prop_map(|((order, nonce), user, seats, due)| Verb::Live { order, nonce, user, seats, due }),
        4 => (id, any::<bool>(), any::<bool>()).prop_map(|((order, nonce), known, forget)| Verb::Gone { order, nonce, known, forget }),
        1 => Just(Verb::Refill),
    ]
}

async fn step(environment: &TestEnvironment, model: &mut Model, verb: Verb) {
    let program = environment.at_program();
    let at = |order, nonced: u8| OrderAt {
        order: number(order),
        nonce: nonce(u128::from(nonced)),
        program,
    };
    match verb {
        Verb::Reserve {
            order,
            nonce,
            user,
            want,
            key,
        } => {
            let at = at(order, nonce);
            let wanted = match &want {
                Wish::Seats(cat, seats) => SeatSelection::seats(category(*cat), indexes(seats)),
                Wish::Best(cat, count) => SeatSelection::best(category(*cat), *count),
            };
            let mut request =
                environment.request(at, USERS[user], wanted.expect("a valid request"));
            request.user_limit = LIMIT;
            request.idempotency =
                key.map(|(key, hash)| (idem(&key_text(key)), format!("{hash:02x}")));
            let expected = model.reserve(environment, at, user, &want, key);
            assert_eq!(
                environment.gate.reserve(&request).await,
                Ok(expected),
                "{request:?}"
            );
        }
        Verb::Accept { order, nonce } => {
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
        Verb::Abandon {
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
        Verb::Live {
            order,
            nonce,
            user,
            seats,
            due,
        } => live(environment, model, at(order, nonce), user, seats, due).await,
        Verb::Gone {
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
        Verb::Refill => refill(environment, model).await,
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
    let told = row
        .clone()
        .or(known.clone())
        .or(seats.clone().map(|(cat, seats)| (user, cat, seats)));
    let by_reservation = seats.is_none() && known.is_some();
    let settle = Settle {
        at,
        user: told
            .as_ref()
            .filter(|_| !by_reservation)
            .map(|(user, ..)| uid(USERS[*user])),
        key: None,
        seats: told
            .as_ref()
            .filter(|_| !by_reservation)
            .map(|(_, cat, seats)| (category(*cat), indexes(seats))),
        to: SettleTo::Live {
            due_in_ms: due.then_some(60_000),
        },
    };
    let expected = if model.tombs.get(&at.order) == Some(&at.nonce) {
        Settled::Tombstoned
    } else if let Some((user, cat, seats)) = told {
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
fn after_any_sequence_of_verbs_the_whole_state_is_what_a_plain_model_says() {
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
    let sequences = prop::collection::vec(verbs(), 1..40);
    let outcome = runner.run(&sequences, |sequence| {
        runtime.block_on(async {
            let environment = TestEnvironment::open(HALLS).await;
            let mut model = Model::default();
            for verb in sequence {
                step(&environment, &mut model, verb).await;
                compare(&environment, &model).await;
            }
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
