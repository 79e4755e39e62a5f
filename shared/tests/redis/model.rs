//! Random sequences of verbs, compared with a plain model after each step: the whole state of real Redis, not only the answers.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use shared::gate::{
    Abandon, Accepted, Epoch, Install, LiveOrder, Merged, OrderAt, Reserved, ResvState, Settle, SettleTo, Settled, TimeoutJob,
};
use shared::message::{Nonce, OrderNumber, SeatIndex};
use shared::sale::{Category, Want};

use super::stage::{ENDS, Stage, category, idem, nonce, number, seat, uid};

/// Two categories: one of a single short chunk, one of three chunks (four rows of 500 each).
const HALLS: &[(u32, u32)] = &[(3, 7), (9, 500)];
const USERS: [&str; 3] = ["alice", "bob:key1", "{c}arol"];
const LIMIT: u32 = 12;

#[derive(Debug, Clone)]
enum Verb {
    Reserve { order: u16, nonce: u8, user: usize, want: Wish, key: Option<(u8, u8)> },
    Accept { order: u16, nonce: u8 },
    Abandon { order: u16, nonce: u8, attempt: Option<u32> },
    Live { order: u16, nonce: u8, user: usize, seats: Option<(u16, Vec<u32>)>, due: bool },
    Gone { order: u16, nonce: u8, known: bool, forget: bool },
    Refill,
}

#[derive(Debug, Clone)]
enum Wish {
    Seats(u16, Vec<u32>),
    Best(u16, u32),
}

/// Seats that are near each other and near the borders of rows and chunks, so that orders meet.
fn seats() -> impl Strategy<Value = (u16, Vec<u32>)> {
    let small = prop::collection::btree_set(0_u32..21, 1..5).prop_map(|seats| (0, seats.into_iter().collect()));
    let near = (prop::sample::select(vec![21_u32, 515, 2015, 4015, 4515]), prop::collection::btree_set(0_u32..12, 1..7));
    let large = near.prop_map(|(from, seats)| (1, seats.into_iter().map(|n| (from + n).min(4520)).collect::<Vec<_>>()));
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
    let wish = prop_oneof![
        seats().prop_map(|(cat, seats)| Wish::Seats(cat, seats)),
        (0_u16..2, 1_u32..9).prop_map(|(cat, count)| Wish::Best(cat, count)),
    ];
    let key = prop::option::of((0_u8..3, 0_u8..2));
    prop_oneof![
        8 => (id.clone(), 0_usize..3, wish, key).prop_map(|((order, nonce), user, want, key)| Verb::Reserve { order, nonce, user, want, key }),
        2 => id.clone().prop_map(|(order, nonce)| Verb::Accept { order, nonce }),
        2 => (id.clone(), prop::option::of(1_u32..3)).prop_map(|((order, nonce), attempt)| Verb::Abandon { order, nonce, attempt }),
        3 => (id.clone(), 0_usize..3, prop::option::of(seats()), any::<bool>())
            .prop_map(|((order, nonce), user, seats, due)| Verb::Live { order, nonce, user, seats, due }),
        4 => (id, any::<bool>(), any::<bool>()).prop_map(|((order, nonce), known, forget)| Verb::Gone { order, nonce, known, forget }),
        1 => Just(Verb::Refill),
    ]
}

type Owner = (OrderNumber, Nonce);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Resv {
    nonce: Nonce,
    user: usize,
    category: u16,
    seats: Vec<u32>,
    key: Option<u8>,
    attempt: u32,
    state: &'static str,
}

/// What the gate ought to hold.
#[derive(Debug, Default)]
struct Model {
    owners: BTreeMap<u32, Owner>,
    tickets: BTreeMap<(usize, OrderNumber), u32>,
    resvs: BTreeMap<OrderNumber, Resv>,
    tombs: BTreeMap<OrderNumber, Nonce>,
    keys: BTreeMap<(usize, u8), (OrderNumber, Nonce, u8)>,
    entries: BTreeMap<OrderNumber, Nonce>,
    /// What Postgres would say: seats last settled live, not gone since.
    rows: BTreeMap<OrderNumber, (Nonce, usize, u16, Vec<u32>, bool)>,
}

fn key_text(key: u8) -> String {
    format!("key:{key}")
}

fn state_of(state: &str) -> ResvState {
    match state {
        "held" => ResvState::Held,
        "accepted" => ResvState::Accepted { partition: 3, offset: i64::MAX, appended_ms: 1_795_371_222_316 },
        "abandoning" => ResvState::Abandoning,
        _ => ResvState::Stored,
    }
}

fn indexes(seats: &[u32]) -> Vec<SeatIndex> {
    seats.iter().map(|n| seat(*n)).collect()
}

impl Model {
    fn free(&self, of: &Category) -> Vec<u32> {
        of.layout.all().map(SeatIndex::get).filter(|n| !self.owners.contains_key(n)).collect()
    }

    /// Free runs of a row: first seat and length.
    fn runs(&self, of: &Category, row: u32) -> Vec<(u32, u32)> {
        let first = of.layout.first().get() + row * of.layout.row_len();
        let mut runs: Vec<(u32, u32)> = Vec::new();
        for n in (first..first + of.layout.row_len()).filter(|n| !self.owners.contains_key(n)) {
            match runs.last_mut() {
                Some((start, len)) if *start + *len == n => *len += 1,
                _ => runs.push((n, 1)),
            }
        }
        runs
    }

    fn best(&self, of: &Category, count: u32) -> Option<Vec<u32>> {
        let fits =
            |row| self.runs(of, row).into_iter().filter(|(_, len)| *len >= count).min_by_key(|(first, len)| (*len, *first));
        let (first, _) = (0..of.layout.rows()).find_map(fits)?;
        Some((first..first + count).collect())
    }

    fn reserve(&mut self, stage: &Stage, at: OrderAt, user: usize, want: &Wish, key: Option<(u8, u8)>) -> Reserved {
        if let Some(&(order, nonce, hash)) = key.and_then(|(key, _)| self.keys.get(&(user, key))) {
            if Some(hash) != key.map(|(_, hash)| hash) {
                return Reserved::KeyReused;
            }
            let Some(resv) = self.resvs.get_mut(&order).filter(|resv| resv.nonce == nonce) else {
                return Reserved::Ended { order, nonce };
            };
            if (order, nonce) == (at.order, at.nonce) {
                return held(order, resv);
            }
            if resv.state == "held" {
                resv.attempt += 1;
                self.entries.insert(order, nonce);
            }
            let (seats, message, attempt) = (indexes(&resv.seats), message(resv), resv.attempt);
            return Reserved::Again { order, nonce, state: state_of(resv.state), seats, message, attempt };
        }
        match self.resvs.get(&at.order) {
            Some(resv) if resv.nonce == at.nonce => return held(at.order, resv),
            Some(_) => return Reserved::NumberInUse,
            None => {}
        }
        if self.tombs.contains_key(&at.order) || self.entries.get(&at.order).is_some_and(|nonce| *nonce != at.nonce) {
            return Reserved::NumberInUse;
        }
        let (cat, count) = match want {
            Wish::Seats(cat, seats) => (*cat, seats.len() as u32),
            Wish::Best(cat, count) => (*cat, *count),
        };
        let have = self.tickets.iter().filter(|((of, _), _)| *of == user).map(|(_, n)| n).sum();
        if have + count > LIMIT {
            return Reserved::LimitReached { have };
        }
        let of = &stage.program.categories[usize::from(cat)];
        let seats = match want {
            Wish::Seats(_, seats) => {
                let taken: Vec<u32> = seats.iter().copied().filter(|n| self.owners.contains_key(n)).collect();
                if !taken.is_empty() {
                    return Reserved::SeatsTaken(indexes(&taken));
                }
                seats.clone()
            }
            Wish::Best(..) => match (self.free(of).len() as u32, self.best(of, count)) {
                (0, _) => return Reserved::SoldOut,
                (free, None) => return Reserved::NotAdjacent { free },
                (_, Some(seats)) => seats,
            },
        };
        for n in &seats {
            self.owners.insert(*n, (at.order, at.nonce));
        }
        self.tickets.insert((user, at.order), count);
        let resv = Resv { nonce: at.nonce, user, category: cat, seats, key: key.map(|(key, _)| key), attempt: 1, state: "held" };
        let answer = held(at.order, &resv);
        self.resvs.insert(at.order, resv);
        if let Some((key, hash)) = key {
            self.keys.insert((user, key), (at.order, at.nonce, hash));
        }
        self.entries.insert(at.order, at.nonce);
        answer
    }

    fn live(&mut self, at: OrderAt, user: usize, cat: u16, seats: &[u32], due: bool) -> Vec<Owner> {
        let mut displaced = Vec::new();
        for n in seats {
            match self.owners.insert(*n, (at.order, at.nonce)) {
                Some(other) if other != (at.order, at.nonce) && !displaced.contains(&other) => displaced.push(other),
                _ => {}
            }
        }
        self.tickets.insert((user, at.order), seats.len() as u32);
        if let Some(resv) = self.resvs.get_mut(&at.order).filter(|resv| resv.nonce == at.nonce) {
            resv.state = "stored";
        }
        if self.entries.get(&at.order).is_none_or(|nonce| *nonce == at.nonce) {
            if due {
                self.entries.insert(at.order, at.nonce)
            } else {
                self.entries.remove(&at.order)
            };
        }
        self.rows.insert(at.order, (at.nonce, user, cat, seats.to_vec(), due));
        displaced
    }

    fn gone(&mut self, at: OrderAt, user: Option<usize>, seats: Option<Vec<u32>>, key: Option<u8>, forget: bool) -> u32 {
        let other = self.resvs.get(&at.order).filter(|resv| resv.nonce != at.nonce).map(|resv| resv.user);
        let ours = self.resvs.get(&at.order).filter(|resv| resv.nonce == at.nonce).cloned();
        let user = user.or(ours.as_ref().map(|resv| resv.user));
        let key = key.or(ours.as_ref().and_then(|resv| resv.key));
        let seats = seats.or(ours.as_ref().map(|resv| resv.seats.clone())).unwrap_or_default();
        let mut freed = 0;
        for n in seats {
            if self.owners.get(&n) == Some(&(at.order, at.nonce)) {
                self.owners.remove(&n);
                freed += 1;
            }
        }
        if let Some(user) = user.filter(|user| other != Some(*user)) {
            self.tickets.remove(&(user, at.order));
        }
        self.tombs.insert(at.order, at.nonce);
        if ours.is_some() {
            self.resvs.remove(&at.order);
        }
        if self.entries.get(&at.order) == Some(&at.nonce) {
            self.entries.remove(&at.order);
        }
        if forget {
            self.keys.retain(|named, (order, nonce, _)| {
                (Some(named.0), Some(named.1)) != (user, key) || (*order, *nonce) != (at.order, at.nonce)
            });
        }
        self.rows.retain(|order, row| (*order, row.0) != (at.order, at.nonce));
        freed
    }

    /// The header is lost and the gate filled again.
    fn begin(&mut self) {
        let owners = std::mem::take(&mut self.owners);
        let mut counts: HashMap<Owner, u32> = HashMap::new();
        for (n, owner) in owners {
            counts.entry(owner).or_default();
            let resv = self.resvs.get(&owner.0).filter(|resv| resv.nonce == owner.1);
            if resv.is_some_and(|resv| resv.state != "stored") {
                self.owners.insert(n, owner);
                *counts.entry(owner).or_default() += 1;
            }
        }
        for ((order, nonce), count) in counts {
            let Some(resv) = self.resvs.get(&order).filter(|resv| resv.nonce == nonce) else { continue };
            if count > 0 {
                self.tickets.insert((resv.user, order), count);
                self.entries.entry(order).or_insert(nonce);
            } else {
                self.tickets.remove(&(resv.user, order));
            }
        }
    }
}

fn message(resv: &Resv) -> String {
    let seats: Vec<String> = resv.seats.iter().map(u32::to_string).collect();
    if resv.state == "stored" { String::new() } else { format!(r#"{{"seats":[{}]}}"#, seats.join(",")) }
}

fn held(order: OrderNumber, resv: &Resv) -> Reserved {
    Reserved::Held { order, nonce: resv.nonce, seats: indexes(&resv.seats), message: message(resv), attempt: resv.attempt }
}

async fn step(stage: &Stage, model: &mut Model, verb: Verb) {
    let program = stage.at_program();
    let at = |order, nonced: u8| OrderAt { order: number(order), nonce: nonce(u128::from(nonced)), program };
    match verb {
        Verb::Reserve { order, nonce, user, want, key } => {
            let at = at(order, nonce);
            let wanted = match &want {
                Wish::Seats(cat, seats) => Want::seats(category(*cat), indexes(seats)),
                Wish::Best(cat, count) => Want::best(category(*cat), *count),
            };
            let mut wish = stage.wish(at, USERS[user], wanted.expect("a valid wish"));
            wish.user_limit = LIMIT;
            wish.idempotency = key.map(|(key, hash)| (idem(&key_text(key)), format!("{hash:02x}")));
            let expected = model.reserve(stage, at, user, &want, key);
            assert_eq!(stage.gate.reserve(&wish).await, Ok(expected), "{wish:?}");
        }
        Verb::Accept { order, nonce } => {
            let at = at(order, nonce);
            let expected = match model.resvs.get_mut(&at.order).filter(|resv| resv.nonce == at.nonce) {
                None => Accepted::Missing,
                Some(resv) if resv.state == "held" => {
                    resv.state = "accepted";
                    model.entries.insert(at.order, at.nonce);
                    Accepted::Yes
                }
                Some(resv) => Accepted::Found(model_state(resv)),
            };
            assert_eq!(stage.gate.accept(at, 3, i64::MAX, 1_795_371_222_316, 900_000).await, Ok(expected));
        }
        Verb::Abandon { order, nonce, attempt } => {
            let at = at(order, nonce);
            let expected = match model.resvs.get_mut(&at.order).filter(|resv| resv.nonce == at.nonce) {
                None => Abandon::Missing,
                Some(resv) if resv.state != "held" => Abandon::Found(model_state(resv)),
                Some(resv) if attempt.is_some_and(|attempt| attempt != resv.attempt) => Abandon::Refused,
                Some(resv) => {
                    resv.state = "abandoning";
                    Abandon::WasHeld
                }
            };
            assert_eq!(stage.gate.abandon(at, attempt).await, Ok(expected));
        }
        Verb::Live { order, nonce, user, seats, due } => live(stage, model, at(order, nonce), user, seats, due).await,
        Verb::Gone { order, nonce, known, forget } => {
            let at = at(order, nonce);
            let row = model.rows.get(&at.order).filter(|row| known && row.0 == at.nonce).cloned();
            let settle = Settle {
                at,
                user: row.as_ref().map(|row| uid(USERS[row.1])),
                key: None,
                seats: row.as_ref().map(|row| (category(row.2), indexes(&row.3))),
                to: SettleTo::Gone { forget_key: forget },
            };
            let freed = model.gone(at, row.as_ref().map(|row| row.1), row.map(|row| row.3), None, forget);
            assert_eq!(stage.gate.settle(&settle).await, Ok(Settled::Done { displaced: vec![], freed }));
        }
        Verb::Refill => refill(stage, model).await,
    }
}

fn model_state(resv: &Resv) -> ResvState {
    state_of(resv.state)
}

async fn live(stage: &Stage, model: &mut Model, at: OrderAt, user: usize, seats: Option<(u16, Vec<u32>)>, due: bool) {
    // One order has one buyer and one set of seats: those of its reservation or row, where there is one.
    let resv = model.resvs.get(&at.order).filter(|resv| resv.nonce == at.nonce);
    let known = resv.map(|resv| (resv.user, resv.category, resv.seats.clone()));
    let row = model.rows.get(&at.order).filter(|row| row.0 == at.nonce).map(|row| (row.1, row.2, row.3.clone()));
    let told = row.clone().or(known.clone()).or(seats.clone().map(|(cat, seats)| (user, cat, seats)));
    let by_reservation = seats.is_none() && known.is_some();
    let settle = Settle {
        at,
        user: told.as_ref().filter(|_| !by_reservation).map(|(user, ..)| uid(USERS[*user])),
        key: None,
        seats: told.as_ref().filter(|_| !by_reservation).map(|(_, cat, seats)| (category(*cat), indexes(seats))),
        to: SettleTo::Live { due_in_ms: due.then_some(60_000) },
    };
    let expected = if model.tombs.get(&at.order) == Some(&at.nonce) {
        Settled::Tombstoned
    } else if let Some((user, cat, seats)) = told {
        Settled::Done { displaced: model.live(at, user, cat, &seats, due), freed: 0 }
    } else {
        Settled::SeatsUnknown
    };
    assert_eq!(stage.gate.settle(&settle).await, Ok(expected), "{settle:?}");
}

async fn refill(stage: &Stage, model: &mut Model) {
    let program = stage.at_program();
    let () = stage.ask(&["DEL", &stage.program_key("head")]).await;
    let loader = Epoch::new(rand::random());
    assert_eq!(stage.gate.install_begin(&stage.program, None, &loader, 60_000).await, Ok(Install::EndsNeeded));
    let begun = stage.gate.install_begin(&stage.program, Some(ENDS), &loader, 60_000).await;
    assert_eq!(begun, Ok(Install::Mine { ends: ENDS.into() }));
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
        let at = OrderAt { order, nonce, program };
        if model.tombs.get(&order) != Some(&nonce) {
            displaced.extend(model.live(at, user, cat, &seats, due));
        }
    }
    let merged = stage.gate.install_merge(program, &loader, 60_000, &orders).await;
    assert_eq!(merged, Ok(Merged::Done { displaced, outside: vec![] }));
    assert_eq!(stage.gate.install_open(program, &loader).await, Ok(true));
}

/// Every key of the environment, compared.
async fn compare(stage: &Stage, model: &Model) {
    let head = stage.hash(&stage.program_key("head")).await;
    let mut owners = BTreeMap::new();
    for (n, (order, nonce)) in &model.owners {
        owners.insert(n.to_string(), format!("{order}:{nonce}"));
    }
    assert_eq!(stage.hash(&stage.program_key("owner")).await, owners, "owners");
    let mut expected_keys = vec![stage.program_key("head")];
    if !owners.is_empty() {
        expected_keys.push(stage.program_key("owner"));
    }
    for of in &stage.program.categories {
        let map = stage.gate.seat_map(stage.at_program(), of).await.expect("answers").expect("installed");
        let bytes: Vec<u8> = map.into_iter().flatten().collect();
        let expected: Vec<u8> = of.layout.all().map(|n| if model.owners.contains_key(&n.get()) { b'1' } else { b'0' }).collect();
        assert!(bytes == expected, "the map of category {} and its owners differ", of.no);
        assert_eq!(head[&format!("free:{}", of.no)], model.free(of).len().to_string(), "free count of category {}", of.no);
        let mut runs = BTreeMap::new();
        for chunk in 0..of.layout.chunks() {
            let rows = (chunk * of.layout.chunk_rows()..of.layout.rows()).take(of.layout.chunk_rows() as usize);
            let all: Vec<u32> = rows.flat_map(|row| model.runs(of, row)).map(|(_, len)| len).collect();
            runs.insert(format!("f{chunk}"), all.iter().sum::<u32>().to_string());
            runs.insert(format!("r{chunk}"), all.iter().max().unwrap_or(&0).to_string());
            expected_keys.push(stage.program_key(&format!("seats:{}:{chunk}", of.no)));
        }
        assert_eq!(stage.hash(&stage.program_key(&format!("runs:{}", of.no))).await, runs, "runs of category {}", of.no);
        expected_keys.push(stage.program_key(&format!("runs:{}", of.no)));
    }
    for (n, user) in USERS.iter().enumerate() {
        let of = model.tickets.iter().filter(|((user, _), _)| *user == n);
        let tickets: BTreeMap<String, String> = of.map(|((_, order), count)| (order.to_string(), count.to_string())).collect();
        let key = stage.program_key(&format!("user:{user}"));
        assert_eq!(stage.hash(&key).await, tickets, "tickets of {user}");
        if !tickets.is_empty() {
            expected_keys.push(key);
        }
    }
    for (order, resv) in &model.resvs {
        let found = stage.gate.reservation(*order).await.expect("answers").expect("a reservation");
        assert_eq!((found.nonce, found.user.as_str(), found.state), (resv.nonce, USERS[resv.user], state_of(resv.state)));
        assert_eq!((found.category.get(), found.seats), (resv.category, indexes(&resv.seats)));
        assert_eq!((found.attempt, found.message), (resv.attempt, message(resv)));
        assert_eq!(found.key, resv.key.map(|key| idem(&key_text(key))));
        expected_keys.push(stage.key(&format!("resv:{order}")));
    }
    for (order, nonce) in &model.tombs {
        let key = stage.key(&format!("tomb:{order}"));
        assert_eq!(stage.ask::<String>(&["GET", &key]).await, nonce.to_string());
        expected_keys.push(key);
    }
    for ((user, key), (order, nonce, hash)) in &model.keys {
        let user = USERS[*user];
        let key = stage.key(&format!("idem:17:{}:{user}:{}", user.len(), key_text(*key)));
        assert_eq!(stage.ask::<String>(&["GET", &key]).await, format!("{order}:{nonce}:{hash:02x}"));
        expected_keys.push(key);
    }
    let program = stage.program.id;
    let bodies = model.entries.iter().map(|(order, nonce)| (order.to_string(), TimeoutJob { program, nonce: *nonce }.body()));
    let bodies: BTreeMap<String, String> = bodies.collect();
    assert_eq!(stage.hash(&stage.key("delay:order-timeout:job")).await, bodies, "timeout entries");
    let mut due: Vec<String> = stage.ask(&["ZRANGE", &stage.key("delay:order-timeout:due"), "0", "-1"]).await;
    due.sort();
    assert_eq!(due, bodies.keys().cloned().collect::<Vec<_>>(), "due times");
    if !bodies.is_empty() {
        expected_keys.extend(["due", "job"].map(|part| stage.key(&format!("delay:order-timeout:{part}"))));
    }
    expected_keys.sort();
    assert_eq!(stage.keys().await, expected_keys, "no key but those of the table exists");
}

#[test]
fn after_any_sequence_of_verbs_the_whole_state_is_what_a_plain_model_says() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, max_shrink_iters: 200, ..Config::default() });
    let sequences = prop::collection::vec(verbs(), 1..40);
    let outcome = runner.run(&sequences, |sequence| {
        runtime.block_on(async {
            let stage = Stage::open(HALLS).await;
            let mut model = Model::default();
            for verb in sequence {
                step(&stage, &mut model, verb).await;
                compare(&stage, &model).await;
            }
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
