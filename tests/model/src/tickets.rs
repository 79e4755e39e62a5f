//! What orders count towards their buyers' limits, as the audit repairs it.

use shared::gate::StoredTickets;

use crate::gate::{Gate, Number, ResvState, User};

impl Gate {
    /// tickets.lua for one order: `seen` is the count that the caller has read.
    pub fn repair_tickets(
        &mut self,
        user: User,
        number: Number,
        seen: Option<u32>,
        stored: StoredTickets,
    ) {
        if self.tickets.get(&(user, number)).copied() != seen {
            return;
        }
        let resv = self.resvs.get(&number).filter(|resv| resv.user == user);
        let count = match (resv, stored) {
            (Some(resv), _) if resv.state != ResvState::Stored => Some(resv.seats.len() as u32),
            (Some(_), StoredTickets::NoRow) => seen,
            (_, StoredTickets::Live(seats)) if !self.tombs.contains_key(&number) => Some(seats),
            _ => None,
        };
        match count {
            Some(count) => self.tickets.insert((user, number), count),
            None => self.tickets.remove(&(user, number)),
        };
    }
}
