//! A loader: fills a gate that lost its state.

use std::collections::BTreeMap;

use shared::sale::Status;
use shared::steps::settle_of_survivor;

use super::Process;
use crate::database::Row;
use crate::gate::{Known, Owner, Settled};
use crate::protections::Protection;
use crate::real;
use crate::scenario::OrderId;
use crate::state::{Header, Position, Step};

impl Process<'_> {
    /// `install_begin.lua`.
    pub(super) fn begin(&mut self, id: u8, grant: Option<(u8, u8)>) {
        let (server, losses) = (self.state.server, self.state.losses);
        let redis = &mut self.state.redis;
        let is_here = redis.filled_on == server;
        match redis.header {
            Header::Open if is_here => return,
            Header::Loading {
                barrier, position, ..
            } if is_here => {
                redis.header = Header::Loading {
                    loader: id,
                    barrier,
                    position,
                };
                return match position {
                    Position::None => self.then([Step::Passed(id, barrier)]),
                    Position::Seats => self.then([Step::Seats(id)]),
                    Position::Done => self.then([Step::Open(id)]),
                };
            }
            _ => {}
        }
        let Some((granted, barrier)) = grant else {
            return self.then([Step::Claim(id)]);
        };
        let is_granted = redis.claim == Some(granted) && granted == losses;
        if !is_granted && self.scenario.kept.has(Protection::Claim) {
            return;
        }
        redis.claim = None;
        redis.gate.begin_filling();
        redis.filled_on = server;
        redis.header = Header::Loading {
            loader: id,
            barrier,
            position: Position::None,
        };
        self.then([Step::Passed(id, barrier)]);
    }

    /// `install_claim.lua`.
    pub(super) fn claim(&mut self, id: u8) {
        let losses = self.state.losses;
        self.state.redis.claim = Some(losses);
        self.then([Step::Barrier(id, losses)]);
    }

    pub(super) fn barrier(&mut self, id: u8, grant: u8) {
        let barrier = self.state.log.len() as u8;
        self.then([Step::Begin(id, Some((grant, barrier)))]);
    }

    /// Whether order-create has handled every record before the barrier.
    pub(super) fn passed(&mut self, id: u8, barrier: u8) {
        let before = &self.state.log[..usize::from(barrier)];
        let is_passed = before.iter().all(|(_, handled)| *handled);
        if is_passed || !self.scenario.kept.has(Protection::ClosedRebuild) {
            self.then([Step::Survivors(id)]);
        }
    }

    pub(super) fn survivors(&mut self, id: u8) {
        self.then([Step::Seats(id)]);
        let mut owned: BTreeMap<Owner, u8> = BTreeMap::new();
        for (seat, owner) in &self.state.redis.gate.owners {
            *owned.entry(*owner).or_default() |= 1 << seat;
        }
        for (owner, seats) in owned {
            if let Some(order) = self.scenario.find(owner, &self.state.redis.gate) {
                self.then([Step::Survivor(order, seats)]);
            }
        }
    }

    pub(super) fn survivor(&mut self, order: OrderId, seats: u8) {
        if let Some(row) = self.state.row(self.scenario.spec(order).number) {
            self.then([Step::SettleSurvivor(order, seats, row)]);
        }
    }

    pub(super) fn settle_survivor(&mut self, order: OrderId, seats: u8, row: Row) {
        let at = real::at(self.scenario.owner(order));
        let category = real::request(self.scenario, order).category;
        let owned = (0..8).filter(|seat| seats & 1 << seat != 0).map(real::seat);
        let owned = Some((category, owned.collect()));
        if let Some(settle) = settle_of_survivor(at, &real::row(self.scenario, row), owned) {
            self.apply(&settle);
        }
    }

    /// Notes the position, and reads the live rows.
    pub(super) fn seats(&mut self, id: u8) {
        if !self.state.is_filled_by(id) {
            return;
        }
        self.state.note(Position::Seats);
        let live = self
            .state
            .db
            .rows
            .values()
            .filter(|row| row.status.is_live());
        let mut rows = [None; 3];
        for (place, row) in rows.iter_mut().zip(live) {
            *place = Some(*row);
        }
        self.then([Step::Merge(id, rows)]);
    }

    /// `install_merge.lua`, and `install_keys.lua` for the same rows.
    pub(super) fn merge(&mut self, id: u8, rows: &[Option<Row>; 3]) {
        if !self.state.is_filled_by(id) {
            return;
        }
        let mut displaced = Vec::new();
        for row in rows.iter().flatten() {
            let (spec, owner) = (
                self.scenario.spec(row.order),
                self.scenario.owner(row.order),
            );
            let known = Known {
                user: Some(spec.user),
                key: None,
                seats: Some(spec.seats.clone()),
            };
            let gate = &mut self.state.redis.gate;
            let due = row.status == Status::Unpaid;
            if let Settled::Done(others, _) = gate.settle_live(owner, &known, due) {
                displaced.extend(others.into_iter().map(|(number, _)| number));
                if let Some(key) = spec.key {
                    gate.keys.insert((spec.user, key), (owner.0, owner.1, 0));
                }
            }
            self.state.redis.leases.remove(&owner.0);
        }
        self.then([Step::Open(id)]);
        for number in displaced {
            self.then([Step::ReadOther(number)]);
        }
    }

    /// `install_open.lua`.
    pub(super) fn open(&mut self, id: u8) {
        if self.state.is_filled_by(id) {
            self.state.redis.header = Header::Open;
        }
    }
}
