//! Random sequences of operations, compared with the plain gate of the protocol's model
//! (`tests/model`) after each step: the whole state of Redis, not only the results.

mod compare;
mod confirm;
mod operations;
mod plain;

use std::collections::BTreeSet;

use model::Kept;
use model::gate::{Changed, Known, Owner, Settled};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::gate::{
    Abandoned, Accepted, Epoch, FillBegun, LiveOrder, Merged, SeatsInstalled, Settle, SettleTo,
    StoredTickets, TicketCount,
};
use shared::message::{Nonce, OrderNumber, ProgramVersion};
use shared::sale::{Program, SeatRanges, SeatSelection};

use compare::compare;
use operations::{Operation, SeatChoice, operations};
use plain::{LiveRow, Model, indexes, key_text, named, nonce_of, order_at, state_of};

use crate::environment::{ENDS, TestEnvironment, category, hash, idem, mine, number, seat, uid};

/// Two categories: one of a single short chunk, one of three chunks (four rows of 500 each).
const HALLS: &[(u32, u32)] = &[(3, 7), (9, 500)];
const USERS: [&str; 3] = ["alice", "bob:key1", "{c}arol"];
const LIMIT: u32 = 12;

async fn step(environment: &TestEnvironment, model: &mut Model, operation: Operation) {
    let program = environment.at_program();
    match operation {
        Operation::Reserve {
            order,
            nonce,
            user,
            want,
            key,
        } => {
            let order = (order, nonce);
            let wanted = match &want {
                SeatChoice::Seats(cat, seats) => {
                    SeatSelection::seats(category(*cat), indexes(seats))
                }
                SeatChoice::Best(cat, count) => SeatSelection::best(category(*cat), *count),
            };
            let mut request = environment.request(
                order_at(order, program),
                USERS[usize::from(user)],
                wanted.expect("a valid request"),
            );
            request.user_limit = LIMIT;
            request.idempotency = key.map(|(key, body)| (idem(&key_text(key)), hash(body)));
            let expected = model.reserve(environment, order, user, &want, key);
            assert_eq!(
                environment.gate.reserve(&request).await,
                Ok(expected),
                "{request:?}"
            );
        }
        Operation::Accept { order, nonce } => {
            let expected = match model.gate.accept((order, nonce), 0) {
                Changed::Yes => Accepted::Yes,
                Changed::Found(state) => Accepted::Found(state_of(state)),
                Changed::Missing => Accepted::Missing,
            };
            let at = order_at((order, nonce), program);
            let accepted = environment
                .gate
                .accept(at, 3, i64::MAX, 1_795_371_222_316, 900_000);
            assert_eq!(accepted.await, Ok(expected));
        }
        Operation::Abandon { order, nonce } => {
            let expected = match model.gate.abandon((order, nonce)) {
                Changed::Yes => Abandoned::WasHeld,
                Changed::Found(state) => Abandoned::Found(state_of(state)),
                Changed::Missing => Abandoned::Missing,
            };
            let at = order_at((order, nonce), program);
            assert_eq!(environment.gate.abandon(at).await, Ok(expected));
        }
        Operation::Live {
            order,
            nonce,
            user,
            seats,
            due,
        } => live(environment, model, (order, nonce), user, seats, due).await,
        Operation::Gone {
            order,
            nonce,
            known,
            forget,
        } => gone(environment, model, (order, nonce), known, forget).await,
        Operation::Confirm { order, nonce } => {
            confirm::confirm(environment, model, (order, nonce)).await;
        }
        Operation::Tickets {
            order,
            user,
            row,
            late,
        } => {
            let counted = model.gate.tickets.get(&(user, order)).copied();
            let seen = if late {
                Some(counted.unwrap_or_default() + 1)
            } else {
                counted
            };
            let stored = match row {
                None => StoredTickets::NoRow,
                Some(0) => StoredTickets::Ended,
                Some(seats) => StoredTickets::Live(seats),
            };
            let counts = [TicketCount {
                order: number(order).to_string(),
                seen: seen.map(|seen| seen.to_string()),
                stored,
            }];
            let buyer = uid(USERS[usize::from(user)]);
            let repaired = environment.gate.repair_tickets(program, &buyer, &counts);
            repaired.await.expect("answers");
            model.gate.repair_tickets(user, order, seen, stored);
        }
        Operation::Block { first, count, to } => {
            for seat in first..(first + count).min(4521) {
                if to {
                    model.blocked.insert(seat);
                } else {
                    model.blocked.remove(&seat);
                }
            }
            model.version += 1;
            block(environment, model).await;
        }
        Operation::Refill => refill(environment, model).await,
    }
}

/// Brings the blocked seats into the gate. It reports those that orders have.
async fn block(environment: &TestEnvironment, model: &Model) {
    let program = Program {
        version: ProgramVersion::new(1 + model.version).expect("valid"),
        ..environment.program.clone()
    };
    let blocked = SeatRanges::of(model.blocked.iter().map(|n| seat(*n)));
    let installed = environment.gate.install_seats(&program, &blocked).await;
    let Ok(SeatsInstalled::Done(changes)) = installed else {
        panic!("{installed:?}")
    };
    let owned = |n: &&u32| model.gate.owners.contains_key(n);
    let held = model.blocked.iter().filter(owned).map(|n| seat(*n));
    assert_eq!(changes.held, held.collect::<Vec<_>>());
}

async fn gone(
    environment: &TestEnvironment,
    model: &mut Model,
    order: Owner,
    known: bool,
    forget: bool,
) {
    let row = model.row(order).filter(|_| known).cloned();
    let settle = Settle {
        at: order_at(order, environment.at_program()),
        user: row.as_ref().map(|row| uid(USERS[usize::from(row.user)])),
        key: None,
        seats: row
            .as_ref()
            .map(|row| (category(row.category), indexes(&row.seats))),
        to: SettleTo::Gone { forget_key: forget },
    };
    let known = row.map_or(Known::UNKNOWN, |row| row.known());
    let expected = model.gate.settle_gone(order, &known, forget, Kept::ALL);
    if model.row(order).is_some() {
        model.rows.remove(&order.0);
    }
    assert_eq!(
        environment.gate.settle(&settle).await,
        Ok(settled(expected))
    );
}

async fn live(
    environment: &TestEnvironment,
    model: &mut Model,
    order: Owner,
    user: u8,
    seats: Option<(u16, Vec<u32>)>,
    due: bool,
) {
    // One order has one buyer and one set of seats: those of its reservation or row, where there is
    // one.
    let resv = model.gate.reservation(order);
    let known = resv.map(|resv| (resv.user, resv.category, resv.seats.clone()));
    let row = model
        .row(order)
        .map(|row| (row.user, row.category, row.seats.clone()));
    // A reservation made after the row was stored may have other seats; then the row decides.
    let by_reservation = seats.is_none() && known.is_some() && (row.is_none() || row == known);
    let found = row
        .or(known)
        .or(seats.map(|(cat, seats)| (user, cat, seats)));
    let given = found.as_ref().filter(|_| !by_reservation);
    let settle = Settle {
        at: order_at(order, environment.at_program()),
        user: given.map(|(user, ..)| uid(USERS[usize::from(*user)])),
        key: None,
        seats: given.map(|(_, cat, seats)| (category(*cat), indexes(seats))),
        to: SettleTo::Live {
            due_in_ms: due.then_some(60_000),
        },
    };
    let given = given.map_or(Known::UNKNOWN, |(user, _, seats)| Known {
        user: Some(*user),
        key: None,
        seats: Some(seats.clone()),
    });
    let expected = model.gate.settle_live(order, &given, due);
    if let (Settled::Done(..), Some((user, category, seats))) = (&expected, found) {
        model.store(LiveRow {
            owner: order,
            user,
            category,
            seats,
            due,
        });
    }
    assert_eq!(
        environment.gate.settle(&settle).await,
        Ok(settled(expected)),
        "{settle:?}"
    );
}

fn settled(expected: Settled) -> shared::gate::Settled {
    match expected {
        Settled::Done(displaced, freed) => shared::gate::Settled::Done {
            displaced: displaced.into_iter().map(named).collect(),
            freed,
        },
        Settled::Tombstoned => shared::gate::Settled::Tombstoned,
        Settled::SeatsUnknown => shared::gate::Settled::SeatsUnknown,
    }
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
    model.gate.begin_filling();
    let rows = std::mem::take(&mut model.rows);
    let orders: Vec<LiveOrder> = rows
        .values()
        .map(|row| LiveOrder {
            order: number(row.owner.0),
            nonce: nonce_of(row.owner.1),
            user: uid(USERS[usize::from(row.user)]),
            category: category(row.category),
            seats: indexes(&row.seats),
            due_in_ms: row.due.then_some(60_000),
        })
        .collect();
    let mut displaced = Vec::new();
    for row in rows.into_values() {
        let settled = model.gate.settle_live(row.owner, &row.known(), row.due);
        if let Settled::Done(others, _) = settled {
            displaced.extend(others);
            model.store(row);
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
    let bytes = |(order, nonce): (OrderNumber, Nonce)| (order, nonce.bytes());
    let found: BTreeSet<_> = found.into_iter().map(bytes).collect();
    let displaced: BTreeSet<_> = displaced.into_iter().map(named).map(bytes).collect();
    assert_eq!(found, displaced);
    assert_eq!(outside, vec![]);
    block(environment, model).await;
    assert_eq!(
        environment.gate.install_open(program, &loader).await,
        Ok(true)
    );
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
