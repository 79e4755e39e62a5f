//! Random operations on the gate.

use proptest::prelude::*;

#[derive(Debug, Clone)]
pub(crate) enum Operation {
    Reserve {
        order: u16,
        nonce: u8,
        user: u8,
        want: SeatChoice,
        key: Option<(u8, u8)>,
    },
    Accept {
        order: u16,
        nonce: u8,
    },
    Abandon {
        order: u16,
        nonce: u8,
    },
    Live {
        order: u16,
        nonce: u8,
        user: u8,
        seats: Option<(u16, Vec<u32>)>,
        due: bool,
    },
    Gone {
        order: u16,
        nonce: u8,
        known: bool,
        forget: bool,
    },
    Confirm {
        order: u16,
        nonce: u8,
    },
    /// The audit repairs what an order counts: seats by its row, 0 for an ended one, none without a
    /// row. `late`: the count has changed since it was read.
    Tickets {
        order: u16,
        user: u8,
        row: Option<u32>,
        late: bool,
    },
    Block {
        first: u32,
        count: u32,
        to: bool,
    },
    Refill,
}

#[derive(Debug, Clone)]
pub(crate) enum SeatChoice {
    Seats(u16, Vec<u32>),
    Best(u16, u32),
}

/// Seats near each other and near the borders of rows and chunks, so that orders overlap.
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

pub(crate) fn operations() -> impl Strategy<Value = Operation> {
    let id = (0_u16..7, 0_u8..2);
    let request = prop_oneof![
        seats().prop_map(|(cat, seats)| SeatChoice::Seats(cat, seats)),
        (0_u16..2, 1_u32..9).prop_map(|(cat, count)| SeatChoice::Best(cat, count)),
    ];
    let key = prop::option::of((0_u8..3, 0_u8..2));
    let reserve =
        (id.clone(), 0_u8..3, request, key).prop_map(|((order, nonce), user, want, key)| {
            Operation::Reserve {
                order,
                nonce,
                user,
                want,
                key,
            }
        });
    let accept = id
        .clone()
        .prop_map(|(order, nonce)| Operation::Accept { order, nonce });
    let abandon = id
        .clone()
        .prop_map(|(order, nonce)| Operation::Abandon { order, nonce });
    let confirm = id
        .clone()
        .prop_map(|(order, nonce)| Operation::Confirm { order, nonce });
    let live = (
        id.clone(),
        0_u8..3,
        prop::option::of(seats()),
        any::<bool>(),
    )
        .prop_map(|((order, nonce), user, seats, due)| Operation::Live {
            order,
            nonce,
            user,
            seats,
            due,
        });
    let gone = (id, any::<bool>(), any::<bool>()).prop_map(|((order, nonce), known, forget)| {
        Operation::Gone {
            order,
            nonce,
            known,
            forget,
        }
    });
    let tickets = (0_u16..7, 0_u8..3, prop::option::of(0_u32..4), any::<bool>());
    let tickets = tickets.prop_map(|(order, user, row, late)| Operation::Tickets {
        order,
        user,
        row,
        late,
    });
    let block = (
        prop::sample::select(vec![0_u32, 5, 21, 515, 2015, 4515]),
        1_u32..9,
        any::<bool>(),
    )
        .prop_map(|(first, count, to)| Operation::Block { first, count, to });
    prop_oneof![
        8 => reserve,
        2 => block,
        3 => accept,
        2 => abandon,
        3 => live,
        3 => confirm,
        4 => gone,
        1 => tickets,
        1 => Just(Operation::Refill),
    ]
}
