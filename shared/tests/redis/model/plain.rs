//! The gate as plain maps: what each verb does, without chunks, counts or scripts.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::gate::{OrderAt, ReservationState, Reserved};
use shared::message::{Cents, Nonce, OrderNumber, OrderRequested, ProgramId, SeatIndex};
use shared::sale::Category;

use super::{LIMIT, SeatChoice, USERS};
use crate::environment::{PAY_BY_MS, TRACE, TestEnvironment, category, hash, idem, seat, uid};

pub(super) type Owner = (OrderNumber, Nonce);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resv {
    pub(super) nonce: Nonce,
    pub(super) user: usize,
    pub(super) category: u16,
    pub(super) seats: Vec<u32>,
    /// The client's key, and the body's hash.
    pub(super) key: Option<(u8, u8)>,
    pub(super) attempt: u32,
    pub(super) state: &'static str,
}

/// What the gate ought to hold.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) owners: BTreeMap<u32, Owner>,
    pub(super) tickets: BTreeMap<(usize, OrderNumber), u32>,
    pub(super) resvs: BTreeMap<OrderNumber, Resv>,
    pub(super) tombs: BTreeMap<OrderNumber, Nonce>,
    pub(super) keys: BTreeMap<(usize, u8), (OrderNumber, Nonce, u8)>,
    pub(super) entries: BTreeMap<OrderNumber, Nonce>,
    /// Orders that were ever settled live.
    pub(super) stored: BTreeSet<Owner>,
    /// What Postgres would say: seats last settled live, not gone since.
    pub(super) rows: BTreeMap<OrderNumber, (Nonce, usize, u16, Vec<u32>, bool)>,
}

pub(super) fn key_text(key: u8) -> String {
    format!("key:{key}")
}

pub(super) fn state_of(state: &str) -> ReservationState {
    match state {
        "held" => ReservationState::Held,
        "accepted" => ReservationState::Accepted {
            partition: 3,
            offset: i64::MAX,
            appended_ms: 1_795_371_222_316,
        },
        "abandoning" => ReservationState::Abandoning,
        _ => ReservationState::Stored,
    }
}

pub(super) fn indexes(seats: &[u32]) -> Vec<SeatIndex> {
    seats.iter().map(|n| seat(*n)).collect()
}

impl Model {
    pub(super) fn free(&self, of: &Category) -> Vec<u32> {
        of.layout
            .all()
            .map(SeatIndex::get)
            .filter(|n| !self.owners.contains_key(n))
            .collect()
    }

    /// Free runs of a row: first seat and length.
    pub(super) fn runs(&self, of: &Category, row: u32) -> Vec<(u32, u32)> {
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

    pub(super) fn best(&self, of: &Category, count: u32) -> Option<Vec<u32>> {
        let fits = |row| {
            self.runs(of, row)
                .into_iter()
                .filter(|(_, len)| *len >= count)
                .min_by_key(|(first, len)| (*len, *first))
        };
        let (first, _) = (0..of.layout.rows()).find_map(fits)?;
        Some((first..first + count).collect())
    }

    pub(super) fn reserve(
        &mut self,
        environment: &TestEnvironment,
        at: OrderAt,
        user: usize,
        want: &SeatChoice,
        key: Option<(u8, u8)>,
    ) -> Reserved {
        if let Some(&(order, nonce, hash)) = key.and_then(|(key, _)| self.keys.get(&(user, key))) {
            if Some(hash) != key.map(|(_, hash)| hash) {
                return Reserved::KeyReused;
            }
            let Some(resv) = self
                .resvs
                .get_mut(&order)
                .filter(|resv| resv.nonce == nonce)
            else {
                return Reserved::Ended { order, nonce };
            };
            if (order, nonce) == (at.order, at.nonce) {
                return held(order, resv);
            }
            if resv.state == "held" {
                resv.attempt += 1;
                self.entries.insert(order, nonce);
            }
            let seats = indexes(&resv.seats);
            let message = message(order, resv);
            let attempt = resv.attempt;
            return Reserved::Again {
                order,
                nonce,
                state: state_of(resv.state),
                seats,
                message,
                attempt,
            };
        }
        match self.resvs.get(&at.order) {
            Some(resv) if resv.nonce == at.nonce => return held(at.order, resv),
            Some(_) => return Reserved::NumberInUse,
            None => {}
        }
        if self.tombs.contains_key(&at.order) {
            return Reserved::NumberInUse;
        }
        let (cat, count) = match want {
            SeatChoice::Seats(cat, seats) => (*cat, seats.len() as u32),
            SeatChoice::Best(cat, count) => (*cat, *count),
        };
        let have = self
            .tickets
            .iter()
            .filter(|((of, _), _)| *of == user)
            .map(|(_, n)| n)
            .sum();
        if have + count > LIMIT {
            return Reserved::LimitReached { have };
        }
        let of = &environment.program.categories[usize::from(cat)];
        let seats = match want {
            SeatChoice::Seats(_, seats) => {
                let taken: Vec<u32> = seats
                    .iter()
                    .copied()
                    .filter(|n| self.owners.contains_key(n))
                    .collect();
                if !taken.is_empty() {
                    return Reserved::SeatsTaken(indexes(&taken));
                }
                seats.clone()
            }
            SeatChoice::Best(..) => match (self.free(of).len() as u32, self.best(of, count)) {
                (0, _) => return Reserved::SoldOut,
                (free, None) => return Reserved::NotAdjacent { free },
                (_, Some(seats)) => seats,
            },
        };
        let entry = self.entries.get(&at.order);
        if entry.is_some_and(|nonce| *nonce != at.nonce) {
            return Reserved::NumberInUse;
        }
        for n in &seats {
            self.owners.insert(*n, (at.order, at.nonce));
        }
        self.tickets.insert((user, at.order), count);
        let resv = Resv {
            nonce: at.nonce,
            user,
            category: cat,
            seats,
            key,
            attempt: 1,
            state: "held",
        };
        let answer = held(at.order, &resv);
        self.resvs.insert(at.order, resv);
        if let Some((key, hash)) = key {
            self.keys.insert((user, key), (at.order, at.nonce, hash));
        }
        self.entries.insert(at.order, at.nonce);
        answer
    }

    pub(super) fn live(
        &mut self,
        at: OrderAt,
        user: usize,
        cat: u16,
        seats: &[u32],
        due: bool,
    ) -> Vec<Owner> {
        let mut displaced = Vec::new();
        for n in seats {
            match self.owners.insert(*n, (at.order, at.nonce)) {
                Some(other) if other != (at.order, at.nonce) && !displaced.contains(&other) => {
                    displaced.push(other);
                }
                _ => {}
            }
        }
        self.tickets.insert((user, at.order), seats.len() as u32);
        if let Some(resv) = self
            .resvs
            .get_mut(&at.order)
            .filter(|resv| resv.nonce == at.nonce)
        {
            resv.state = "stored";
        }
        if self
            .entries
            .get(&at.order)
            .is_none_or(|nonce| *nonce == at.nonce)
        {
            if due {
                self.entries.insert(at.order, at.nonce)
            } else {
                self.entries.remove(&at.order)
            };
        }
        self.stored.insert((at.order, at.nonce));
        self.rows
            .insert(at.order, (at.nonce, user, cat, seats.to_vec(), due));
        displaced
    }

    pub(super) fn gone(
        &mut self,
        at: OrderAt,
        user: Option<usize>,
        seats: Option<Vec<u32>>,
        key: Option<u8>,
        forget: bool,
    ) -> u32 {
        let other = self
            .resvs
            .get(&at.order)
            .filter(|resv| resv.nonce != at.nonce)
            .map(|resv| resv.user);
        let ours = self
            .resvs
            .get(&at.order)
            .filter(|resv| resv.nonce == at.nonce)
            .cloned();
        let user = user.or(ours.as_ref().map(|resv| resv.user));
        let key = key.or(ours.as_ref().and_then(|resv| resv.key.map(|(key, _)| key)));
        let seats = seats
            .or(ours.as_ref().map(|resv| resv.seats.clone()))
            .unwrap_or_default();
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
                (Some(named.0), Some(named.1)) != (user, key)
                    || (*order, *nonce) != (at.order, at.nonce)
            });
        }
        self.rows
            .retain(|order, row| (*order, row.0) != (at.order, at.nonce));
        freed
    }

    /// The header is lost and the gate filled again.
    pub(super) fn begin(&mut self) {
        let owners = std::mem::take(&mut self.owners);
        let mut counts: HashMap<Owner, u32> = HashMap::new();
        for (n, owner) in owners {
            counts.entry(owner).or_default();
            let resv = self
                .resvs
                .get(&owner.0)
                .filter(|resv| resv.nonce == owner.1);
            if resv.is_some_and(|resv| resv.state != "stored") {
                self.owners.insert(n, owner);
                *counts.entry(owner).or_default() += 1;
            }
        }
        for ((order, nonce), count) in counts {
            let Some(resv) = self.resvs.get(&order).filter(|resv| resv.nonce == nonce) else {
                continue;
            };
            if count > 0 {
                self.tickets.insert((resv.user, order), count);
                self.entries.entry(order).or_insert(nonce);
            } else {
                self.tickets.remove(&(resv.user, order));
            }
        }
    }
}

pub(super) fn message(order: OrderNumber, resv: &Resv) -> String {
    if resv.state == "stored" {
        return String::new();
    }
    let message = OrderRequested {
        v: 1,
        order,
        nonce: resv.nonce,
        user: uid(USERS[resv.user]),
        program: ProgramId::new(17).expect("valid"),
        category: category(resv.category),
        seats: indexes(&resv.seats),
        unit_price_cents: Cents::new(4200).expect("valid"),
        amount_cents: Cents::new(4200 * resv.seats.len() as i64).expect("valid"),
        idempotency_key: resv.key.map(|(key, _)| idem(&key_text(key))),
        idempotency_hash: resv.key.map(|(_, body)| hash(body)),
        pay_by_ms: PAY_BY_MS,
        trace: Some(TRACE.into()),
    };
    serde_json::to_string(&message).expect("JSON")
}

pub(super) fn held(order: OrderNumber, resv: &Resv) -> Reserved {
    Reserved::Held {
        order,
        nonce: resv.nonce,
        seats: indexes(&resv.seats),
        message: message(order, resv),
        attempt: resv.attempt,
    }
}
