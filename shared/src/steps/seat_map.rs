//! The differences between the gate and Postgres in a range of seats. Pure.
//!
//! A row outranks a reservation. An order without a row keeps its seats: order-create may be about
//! to store it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::RangeInclusive;

use crate::gate::{Release, Taken};
use crate::message::{Nonce, OrderNumber, ProgramId, SeatIndex};
use crate::store::OrderRow;

/// An order as the gate identifies it.
pub type Owner = (OrderNumber, Nonce);

/// What to repair.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Owners that have no row.
    pub unknown: Vec<Owner>,
    /// Owners that have ended, or whose number belongs to another order's row, with their seats in
    /// the range. These seats are free.
    pub ended: BTreeMap<Owner, Vec<SeatIndex>>,
    /// Seats of live orders whose rows do not list them. No later step would free these.
    pub stray: Vec<Release>,
    /// Rows to settle again, by number, with the version that was read.
    pub settle: BTreeMap<OrderNumber, i64>,
}

/// Compares the owners of a range of seats with the rows of these owners and of the orders that
/// hold seats in it. Read the owners before the rows: an order is reserved before it is stored.
pub fn differences(
    program: ProgramId,
    range: &RangeInclusive<SeatIndex>,
    taken: &[Taken],
    rows: &[OrderRow],
) -> Differences {
    let rows: HashMap<OrderNumber, &OrderRow> = rows.iter().map(|row| (row.number, row)).collect();
    let mut owned: BTreeMap<Owner, BTreeSet<SeatIndex>> = BTreeMap::new();
    for Taken { seat, order, nonce } in taken {
        owned.entry((*order, *nonce)).or_default().insert(*seat);
    }
    let mut found = Differences::default();
    for (owner, seats) in &owned {
        match rows.get(&owner.0) {
            None => found.unknown.push(*owner),
            Some(row) if row.nonce == owner.1 && row.status.is_live() => {
                let listed =
                    |seat: &SeatIndex| row.program == Some(program) && row.seats.contains(seat);
                let release = |seat: &SeatIndex| Release {
                    seat: *seat,
                    owner: Some(*owner),
                };
                found
                    .stray
                    .extend(seats.iter().filter(|seat| !listed(seat)).map(release));
            }
            Some(row) => {
                found.ended.insert(*owner, seats.iter().copied().collect());
                if row.nonce == owner.1 {
                    found.settle.insert(row.number, row.version);
                }
            }
        }
    }
    for row in rows
        .values()
        .filter(|row| row.program == Some(program) && row.status.is_live())
    {
        let has = owned.get(&(row.number, row.nonce));
        let lacks = |seat: &&SeatIndex| {
            range.contains(seat) && !has.is_some_and(|seats| seats.contains(seat))
        };
        if row.seats.iter().any(|seat| lacks(&seat)) {
            found.settle.insert(row.number, row.version);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{CategoryNo, Shard};
    use crate::sale::Status;

    fn seat(n: u32) -> SeatIndex {
        SeatIndex::new(n).expect("valid")
    }

    fn number(n: u16) -> OrderNumber {
        OrderNumber::compose(1_800_000_000_000, Shard::new(9).expect("valid"), n).expect("valid")
    }

    fn taken(order: u16, nonce: u8, seats: &[u32]) -> Vec<Taken> {
        seats
            .iter()
            .map(|n| Taken {
                seat: seat(*n),
                order: number(order),
                nonce: Nonce::new([nonce; 16]),
            })
            .collect()
    }

    fn row(order: u16, nonce: u8, status: Status, seats: &[u32]) -> OrderRow {
        OrderRow {
            number: number(order),
            nonce: Nonce::new([nonce; 16]),
            user: None,
            program: ProgramId::new(3).ok(),
            category: CategoryNo::new(0).ok(),
            seats: seats.iter().map(|n| seat(*n)).collect(),
            unit_price: None,
            amount: None,
            idempotency_key: None,
            status,
            reason: None,
            duplicate_of: None,
            pay_by_ms: None,
            remaining_ms: None,
            version: 5,
            created_at_ms: 0,
            trace: None,
        }
    }

    fn compare(taken: &[Taken], rows: &[OrderRow]) -> Differences {
        differences(
            ProgramId::new(3).expect("valid"),
            &(seat(0)..=seat(99)),
            taken,
            rows,
        )
    }

    #[test]
    fn equal_states_have_no_differences() {
        // The order's third seat is in another chunk.
        let found = compare(
            &taken(1, 1, &[4, 5]),
            &[row(1, 1, Status::Paid, &[4, 5, 100])],
        );
        assert_eq!(found, Differences::default());
    }

    #[test]
    fn a_live_row_gets_its_seats() {
        for other in [vec![], taken(2, 2, &[4])] {
            let found = compare(&other, &[row(1, 1, Status::Unpaid, &[4])]);
            assert_eq!(found.settle, BTreeMap::from([(number(1), 5)]));
            assert_eq!(
                found.unknown.len(),
                other.len(),
                "an owner without a row keeps its entry"
            );
        }
    }

    #[test]
    fn ended_orders_and_other_nonces_lose_their_seats() {
        let rows = [
            row(1, 1, Status::Closed, &[4]),
            row(2, 9, Status::Unpaid, &[50]),
        ];
        let owners = [taken(1, 1, &[4, 6]), taken(2, 2, &[7]), taken(2, 9, &[50])].concat();
        let found = compare(&owners, &rows);
        let of = |order: u16, nonce: u8| (number(order), Nonce::new([nonce; 16]));
        assert_eq!(
            found.ended,
            BTreeMap::from([
                (of(1, 1), vec![seat(4), seat(6)]),
                (of(2, 2), vec![seat(7)])
            ])
        );
        assert_eq!(
            found.settle,
            BTreeMap::from([(number(1), 5)]),
            "the row of the number stays as it is"
        );
    }

    #[test]
    fn a_live_order_keeps_only_its_seats() {
        let found = compare(&taken(1, 1, &[4, 6]), &[row(1, 1, Status::Unpaid, &[4])]);
        let owner = Some((number(1), Nonce::new([1; 16])));
        assert_eq!(
            found.stray,
            [Release {
                seat: seat(6),
                owner
            }]
        );
        assert!(found.ended.is_empty() && found.settle.is_empty());
    }
}
