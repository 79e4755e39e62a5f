//! The gate as plain maps: what each script does, without chunks, counts, texts or times.
//!
//! Each function names the script whose rule it states. `shared/tests/redis/model` compares it with
//! the scripts on a real Redis after every operation of random sequences.

use std::collections::BTreeMap;

use crate::protections::{Kept, Protection};

/// An order's number.
pub type Number = u16;
/// Distinguishes two orders with the same number.
pub type Nonce = u8;
/// A buyer.
pub type User = u8;
/// A seat.
pub type Seat = u32;
/// An order as the gate identifies it.
pub type Owner = (Number, Nonce);

/// The state of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResvState {
    /// Seats are held.
    Held,
    /// The broker has the message, in this record.
    Accepted(u8),
    /// A fence decides.
    Abandoning,
    /// Postgres has the order.
    Stored,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Resv {
    /// Nonce of its order.
    pub nonce: Nonce,
    /// Its buyer.
    pub user: User,
    /// Category of the seats.
    pub category: u16,
    /// Its seats, ascending.
    pub seats: Vec<Seat>,
    /// The client's key, and the body's hash.
    pub key: Option<(u8, u8)>,
    /// Its state.
    pub state: ResvState,
}

/// A request for seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The new order.
    pub order: Owner,
    /// The buyer.
    pub user: User,
    /// Category of the seats.
    pub category: u16,
    /// Number of seats.
    pub count: u32,
    /// Maximum tickets of the buyer.
    pub limit: u32,
    /// The client's key, and the body's hash.
    pub key: Option<(u8, u8)>,
}

/// The reply of reserve. `E`: why there are no such seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<E> {
    /// The order of this number and nonce, new or repeated.
    Held(Resv),
    /// The earlier order of the client's key, with its reservation.
    Again(Number, Resv),
    /// The earlier order of the client's key, without a reservation.
    Ended(Owner),
    /// The key belongs to another body.
    KeyReused,
    /// The number is in use.
    InUse,
    /// The buyer has so many tickets.
    Limit(u32),
    /// No such seats.
    Refused(E),
}

/// What is known of an order besides the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The buyer; `None`: that of the reservation.
    pub user: Option<User>,
    /// The client's key; `None`: that of the reservation.
    pub key: Option<u8>,
    /// The seats; `None`: those of the reservation.
    pub seats: Option<Vec<Seat>>,
}

impl Known {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self {
        user: None,
        key: None,
        seats: None,
    };
}

/// The reply of settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The gate has the state of Postgres. With the orders that lost a seat, and the seats freed.
    Done(Vec<Owner>, u32),
    /// The order has a tombstone.
    Tombstoned,
    /// Neither the call nor a reservation has its seats.
    SeatsUnknown,
}

/// The reply of accept and abandon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It was held and is changed.
    Yes,
    /// It was in this state.
    Found(ResvState),
    /// No such reservation.
    Missing,
}

/// What an installed gate holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Gate {
    /// The owner of each taken seat. A seat is taken if and only if it has an owner.
    pub owners: BTreeMap<Seat, Owner>,
    /// What each order counts towards its buyer's limit.
    pub tickets: BTreeMap<(User, Number), u32>,
    /// Reservations.
    pub resvs: BTreeMap<Number, Resv>,
    /// Ended orders.
    pub tombs: BTreeMap<Number, Nonce>,
    /// The order, and the body's hash, of each client's key.
    pub keys: BTreeMap<(User, u8), (Number, Nonce, u8)>,
    /// Timeout entries.
    pub entries: BTreeMap<Number, Nonce>,
}

impl Gate {
    /// reserve.lua on an open gate. `find` chooses seats of those that are free.
    pub fn reserve<E>(
        &mut self,
        hold: &Hold,
        find: impl FnOnce(&Self) -> Result<Vec<Seat>, E>,
    ) -> Reply<E> {
        let (number, nonce) = hold.order;
        let named = hold
            .key
            .and_then(|(key, _)| self.keys.get(&(hold.user, key)));
        if let Some(&(its_number, its_nonce, hash)) = named {
            if Some(hash) != hold.key.map(|(_, hash)| hash) {
                return Reply::KeyReused;
            }
            let Some(resv) = self
                .resvs
                .get_mut(&its_number)
                .filter(|resv| resv.nonce == its_nonce)
            else {
                return Reply::Ended((its_number, its_nonce));
            };
            if (its_number, its_nonce) == hold.order {
                return Reply::Held(resv.clone());
            }
            if resv.state == ResvState::Held {
                self.entries.insert(its_number, its_nonce);
            }
            return Reply::Again(its_number, self.resvs[&its_number].clone());
        }
        match self.resvs.get(&number) {
            Some(resv) if resv.nonce == nonce => return Reply::Held(resv.clone()),
            Some(_) => return Reply::InUse,
            None => {}
        }
        if self.tombs.contains_key(&number) {
            return Reply::InUse;
        }
        let counted = self.tickets.iter().filter(|((of, _), _)| *of == hold.user);
        let have = counted.map(|(_, n)| n).sum();
        if have + hold.count > hold.limit {
            return Reply::Limit(have);
        }
        let seats = match find(self) {
            Ok(seats) => seats,
            Err(why) => return Reply::Refused(why),
        };
        let entry = self.entries.get(&number);
        if entry.is_some_and(|other| *other != nonce) {
            return Reply::InUse;
        }
        for seat in &seats {
            self.owners.insert(*seat, hold.order);
        }
        self.tickets.insert((hold.user, number), hold.count);
        let resv = Resv {
            nonce,
            user: hold.user,
            category: hold.category,
            seats,
            key: hold.key,
            state: ResvState::Held,
        };
        self.resvs.insert(number, resv.clone());
        if let Some((key, hash)) = hold.key {
            self.keys.insert((hold.user, key), (number, nonce, hash));
        }
        self.entries.insert(number, nonce);
        Reply::Held(resv)
    }

    /// accept.lua: records that the broker has the message.
    pub fn accept(&mut self, order: Owner, record: u8) -> Changed {
        let Some(resv) = self.reservation_mut(order) else {
            return Changed::Missing;
        };
        if resv.state != ResvState::Held {
            return Changed::Found(resv.state);
        }
        resv.state = ResvState::Accepted(record);
        self.entries.insert(order.0, order.1);
        Changed::Yes
    }

    /// abandon.lua on an open gate.
    pub fn abandon(&mut self, order: Owner) -> Changed {
        let Some(resv) = self.reservation_mut(order) else {
            return Changed::Missing;
        };
        if resv.state != ResvState::Held {
            return Changed::Found(resv.state);
        }
        resv.state = ResvState::Abandoning;
        Changed::Yes
    }

    /// confirm.lua: marks an accepted order as stored, if it owns its seats.
    pub fn confirm(&mut self, order: Owner) -> bool {
        let owners = &self.owners;
        let Some(resv) = self.resvs.get_mut(&order.0) else {
            return false;
        };
        let owns = |seat| owners.get(seat) == Some(&order);
        let is_accepted = matches!(resv.state, ResvState::Accepted(_));
        let confirms = resv.nonce == order.1 && is_accepted && resv.seats.iter().all(owns);
        if confirms {
            resv.state = ResvState::Stored;
        }
        confirms
    }

    /// settle.lua, `live`: the order gets its seats, whichever order holds them. `due`: its timeout
    /// entry stays. Also `install_merge.lua`, which leaves out orders with a tombstone as well.
    pub fn settle_live(&mut self, order: Owner, row: &Known, due: bool) -> Settled {
        if self.tombs.get(&order.0) == Some(&order.1) {
            return Settled::Tombstoned;
        }
        let resv = self.reservation(order);
        let user = row.user.or(resv.map(|resv| resv.user));
        let seats = row.seats.clone().or(resv.map(|resv| resv.seats.clone()));
        let Some(seats) = seats else {
            return Settled::SeatsUnknown;
        };
        let mut displaced = Vec::new();
        for seat in &seats {
            match self.owners.insert(*seat, order) {
                Some(other) if other != order && !displaced.contains(&other) => {
                    displaced.push(other);
                }
                _ => {}
            }
        }
        if let Some(user) = user {
            self.tickets.insert((user, order.0), seats.len() as u32);
        }
        if let Some(resv) = self.reservation_mut(order) {
            resv.state = ResvState::Stored;
        }
        let entry = self.entries.get(&order.0);
        if entry.is_none_or(|nonce| *nonce == order.1) {
            if due {
                self.entries.insert(order.0, order.1);
            } else {
                self.entries.remove(&order.0);
            }
        }
        Settled::Done(displaced, 0)
    }

    /// settle.lua, `gone`: frees the seats that the order owns, and forgets the order. `forget`:
    /// deletes the client's key as well.
    pub fn settle_gone(&mut self, order: Owner, row: &Known, forget: bool, kept: Kept) -> Settled {
        let named = self.resvs.get(&order.0).map(|resv| (resv.nonce, resv.user));
        let ours = self.reservation(order).cloned();
        let user = row.user.or(ours.as_ref().map(|resv| resv.user));
        let its_key = ours.as_ref().and_then(|resv| resv.key.map(|(key, _)| key));
        let key = row.key.or(its_key);
        let its_seats = ours.as_ref().map(|resv| resv.seats.clone());
        let mut freed = 0;
        for seat in row.seats.clone().or(its_seats).unwrap_or_default() {
            let owner = self.owners.get(&seat);
            let is_owner = owner == Some(&order);
            if is_owner || owner.is_some() && !kept.has(Protection::OwnerCheck) {
                self.owners.remove(&seat);
                freed += 1;
            }
        }
        let of_other = named.filter(|(nonce, _)| *nonce != order.1);
        if let Some(user) = user.filter(|user| of_other.is_none_or(|(_, other)| other != *user)) {
            self.tickets.remove(&(user, order.0));
        }
        if kept.has(Protection::Tombstone) {
            self.tombs.insert(order.0, order.1);
        }
        if ours.is_some() {
            self.resvs.remove(&order.0);
        }
        if self.entries.get(&order.0) == Some(&order.1) {
            self.entries.remove(&order.0);
        }
        if forget && let (Some(user), Some(key)) = (user, key) {
            let named = self.keys.get(&(user, key));
            if named.is_some_and(|(number, nonce, _)| (*number, *nonce) == order) {
                self.keys.remove(&(user, key));
            }
        }
        Settled::Done(Vec::new(), freed)
    }

    /// `install_begin.lua`, where a filling starts from nothing: keeps the seats of reservations
    /// that Postgres may not have yet, and removes all others.
    pub fn begin_filling(&mut self) {
        let owners = std::mem::take(&mut self.owners);
        let mut counts: BTreeMap<Owner, u32> = BTreeMap::new();
        for (seat, owner) in owners {
            let keeps = self
                .reservation(owner)
                .is_some_and(|resv| resv.state != ResvState::Stored);
            *counts.entry(owner).or_default() += u32::from(keeps);
            if keeps {
                self.owners.insert(seat, owner);
            }
        }
        for (owner, count) in counts {
            let Some(user) = self.reservation(owner).map(|resv| resv.user) else {
                continue;
            };
            if count > 0 {
                self.tickets.insert((user, owner.0), count);
                self.entries.entry(owner.0).or_insert(owner.1);
            } else {
                self.tickets.remove(&(user, owner.0));
            }
        }
    }

    /// The reservation of an order.
    pub fn reservation(&self, order: Owner) -> Option<&Resv> {
        let resv = self.resvs.get(&order.0);
        resv.filter(|resv| resv.nonce == order.1)
    }

    fn reservation_mut(&mut self, order: Owner) -> Option<&mut Resv> {
        let resv = self.resvs.get_mut(&order.0);
        resv.filter(|resv| resv.nonce == order.1)
    }
}
