//! The rules of a sale, as properties.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::message::{CategoryNo, Cents, MAX_SEATS_PER_ORDER, ProgramId, SeatIndex, Shard};

fn seat(n: u32) -> SeatIndex {
    SeatIndex::new(n).expect("in bounds")
}

fn category_no(n: u16) -> CategoryNo {
    CategoryNo::new(n).expect("in bounds")
}

prop_compose! {
    fn layouts()(row_len in 1..=MAX_ROW_LEN, rows in 1..=60_u32,
        first in 0..900_000_u32) -> Layout {
        Layout::new(seat(first), rows, row_len).expect("in bounds")
    }
}

fn new_category(rows: u32, row_len: u32, price: i64) -> NewCategory {
    NewCategory {
        name: "Stalls".to_owned(),
        rows,
        row_len,
        price: Cents::new(price).expect("in bounds"),
    }
}

/// Two categories: 10 rows of 12 at 2500, 4 rows of 3 at 900. At most 6 tickets per buyer.
fn program() -> Program {
    let categories = vec![new_category(10, 12, 2500), new_category(4, 3, 900)];
    let new = NewProgram::new("A play".to_owned(), categories, 900_000, 6).expect("in bounds");
    new.stored(
        ProgramId::new(65).expect("in bounds"),
        Shard::new(1).expect("in bounds"),
    )
}

proptest! {
    #[test]
    fn seats_and_places_correspond_one_to_one(layout in layouts()) {
        let places: Vec<SeatPlace> = layout.all().map(|s| layout.place(s).expect("a place")).collect();
        prop_assert!(places.windows(2).all(|w| w[0] < w[1]), "no two seats share a place");
        for (s, place) in layout.all().zip(&places) {
            prop_assert_eq!(layout.seat(*place), Some(s));
            prop_assert!(place.offset < layout.chunk_seats(place.chunk));
        }
        prop_assert_eq!(places.len(), layout.seats() as usize);
    }

    #[test]
    fn chunks_are_whole_rows_of_at_most_2048_seats(layout in layouts()) {
        let sizes: Vec<u32> = (0..layout.chunks()).map(|c| layout.chunk_seats(c)).collect();
        prop_assert!(sizes.iter().all(|n| *n > 0 && *n <= CHUNK_SEATS
            && n % layout.row_len() == 0));
        prop_assert_eq!(sizes.iter().sum::<u32>(), layout.seats());
        prop_assert_eq!(layout.chunk_seats(layout.chunks()), 0);
        prop_assert_eq!(layout.chunk_seats(u32::MAX), 0);
    }

    #[test]
    fn a_row_lies_in_one_chunk(layout in layouts(), row in 0..60_u32) {
        prop_assume!(row < layout.rows());
        let first = layout.first().get() + row * layout.row_len();
        let at = |n: u32| layout.place(seat(first + n)).expect("a place");
        prop_assert_eq!(at(0).chunk, at(layout.row_len() - 1).chunk);
    }

    #[test]
    fn a_seat_outside_has_no_place(layout in layouts(), n in 0..1_000_000_u32) {
        let first = layout.first().get();
        let inside = (first..first + layout.seats()).contains(&n);
        prop_assert_eq!(layout.place(seat(n)).is_some(), inside);
    }

    #[test]
    fn categories_and_their_seats_are_numbered_in_order(sizes in vec((1..40_u32, 1..50_u32),
        1..10)) {
        let categories = sizes.iter().map(|(rows, row_len)| new_category(*rows, *row_len,
            1)).collect();
        let new = NewProgram::new("A play".to_owned(), categories, 1_000, 1).expect("in bounds");
        let mut next = 0;
        for (n, c) in new.categories().iter().enumerate() {
            prop_assert_eq!(usize::from(c.no.get()), n);
            prop_assert_eq!(c.layout.first().get(), next);
            next += c.layout.seats();
        }
    }

    #[test]
    fn a_quote_multiplies_the_ticket_price(count in 1..=6_u32, no in 0..2_u16) {
        let program = program();
        let want = SeatSelection::best(category_no(no), count).expect("in bounds");
        match quote(&program, &want) {
            Ok(Quote { unit_price, amount }) => {
                prop_assert_eq!(unit_price, program.categories[usize::from(no)].price);
                prop_assert_eq!(amount.get(), unit_price.get() * i64::from(count));
            }
            Err(refusal) => prop_assert_eq!((refusal, no, count > 3), (Refusal::RowTooShort(3),
                1, true)),
        }
    }

    #[test]
    fn selected_seats_are_ascending_distinct_and_at_most_twenty(seats in vec(0..30_u32, 0..25)) {
        let distinct: std::collections::BTreeSet<u32> = seats.iter().copied().collect();
        let allowed = !seats.is_empty() && seats.len() <= MAX_SEATS_PER_ORDER
            && distinct.len() == seats.len();
        let want = SeatSelection::seats(category_no(0), seats.iter().map(|n| seat(*n)).collect());
        prop_assert_eq!(want.is_ok(), allowed);
        if let Ok(SeatSelection::Seats { seats, .. }) = want {
            prop_assert_eq!(seats, distinct.into_iter().map(seat).collect::<Vec<_>>());
        }
    }

    #[test]
    fn no_buyer_exceeds_the_limit(have: u32, want: u32, limit: u32) {
        prop_assert_eq!(within_limit(have, want, limit),
            u64::from(have) + u64::from(want) <= u64::from(limit));
    }

    #[test]
    fn the_stored_time_is_promise_or_minimum(promised: i64, now in 0..i64::MAX / 2,
        min_ms in 0..1_u64 << 40) {
        let stored = stored_pay_by(promised, now, min_ms);
        prop_assert!(stored >= promised && stored >= now + min_ms as i64);
        let is_either = stored == promised || stored == now + min_ms as i64;
        prop_assert!(is_either, "not more than either");
    }

    #[test]
    fn checked_windows_are_in_order(pay_ms in 0..99_u64, min_pay_ms in 0..99_u64,
        publish_ms in 0..99_u64, delivery_ms in 0..99_u64) {
        let windows = Windows { pay_ms, min_pay_ms, publish_ms, delivery_ms };
        let in_order = delivery_ms < publish_ms && publish_ms <= pay_ms && min_pay_ms <= pay_ms;
        prop_assert_eq!(windows.checked().is_ok(), in_order);
    }

    #[test]
    fn the_gate_clock_errs_by_half_the_round_trip(
        local in 1_u64 << 40..1 << 41, skew in -100_000..100_000_i64, there in 0..500_u64,
            back in 0..500_u64,
    ) {
        let asked = local + there;
        let clock = GateClock::observed(local, asked.saturating_add_signed(skew), asked + back);
        let later = local + 1_000_000;
        let error = clock.now_ms(later).abs_diff(later.saturating_add_signed(skew));
        prop_assert!(error <= (there + back).div_ceil(2), "off by {error}");
    }
}

#[test]
fn layouts_beyond_their_bounds_are_refused() {
    for (first, rows, row_len) in [
        (0, 0, 1),
        (0, 1, 0),
        (0, MAX_ROWS + 1, 1),
        (0, 1, MAX_ROW_LEN + 1),
        (999_999, 1, 2),
        (0, u32::MAX, u32::MAX),
    ] {
        assert!(
            Layout::new(seat(first), rows, row_len).is_err(),
            "{first} {rows} {row_len}"
        );
    }
    assert!(Layout::new(seat(999_999), 1, 1).is_ok());
}

#[test]
fn programs_beyond_their_bounds_are_refused() {
    let new = |title: &str, categories, window, limit| {
        NewProgram::new(title.to_owned(), categories, window, limit).err()
    };
    let one = || vec![new_category(1, 1, 1)];
    assert_eq!(new("A play", one(), 1_000, 1), None);
    for title in ["", "  ", "a\u{0}b", &"t".repeat(201)] {
        assert_eq!(
            new(title, one(), 1_000, 1),
            Some(BadProgram::Title),
            "{title:?}"
        );
    }
    assert_eq!(
        new("A play", vec![], 1_000, 1),
        Some(BadProgram::Categories)
    );
    assert_eq!(
        new("A play", vec![new_category(1, 1, 1); 101], 1_000, 1),
        Some(BadProgram::Categories)
    );
    assert_eq!(new("A play", one(), 999, 1), Some(BadProgram::PayWindow));
    assert_eq!(
        new("A play", one(), 86_400_001, 1),
        Some(BadProgram::PayWindow)
    );
    assert_eq!(new("A play", one(), 1_000, 0), Some(BadProgram::UserLimit));
    let huge = vec![new_category(400, 500, 1), new_category(1, 1, 1)];
    assert_eq!(
        new("A play", huge, 1_000, 1),
        Some(BadProgram::Seats(200_001))
    );
    let unnamed = NewCategory {
        name: String::new(),
        ..new_category(1, 1, 1)
    };
    assert_eq!(
        new("A play", vec![new_category(1, 1, 1), unnamed], 1_000, 1),
        Some(BadProgram::CategoryName(1))
    );
    let message = new("A play", vec![new_category(1, 501, 1)], 1_000, 1)
        .expect("refused")
        .to_string();
    assert_eq!(message, "category 0: seats per row must be 1 to 500");
}

#[test]
fn a_seat_belongs_to_one_category() {
    let program = program();
    assert_eq!(
        program.place(seat(119)).map(|(c, _)| c),
        Some(category_no(0))
    );
    assert_eq!(
        program.place(seat(120)),
        Some((
            category_no(1),
            SeatPlace {
                chunk: 0,
                offset: 0
            }
        ))
    );
    assert_eq!(program.place(seat(132)), None);
    assert_eq!(
        Program::usual_shard(program.id),
        Shard::new(1).expect("in bounds")
    );
}

#[test]
fn a_program_refuses_what_it_does_not_sell() {
    let mut program = program();
    let best = |no, count| SeatSelection::best(category_no(no), count).expect("in bounds");
    let seats = |no, n| SeatSelection::seats(category_no(no), vec![seat(n)]).expect("in bounds");
    assert_eq!(
        quote(&program, &best(2, 1)),
        Err(Refusal::NoSuchCategory(category_no(2)))
    );
    assert_eq!(quote(&program, &best(0, 7)), Err(Refusal::OverLimit(6)));
    assert_eq!(quote(&program, &best(1, 4)), Err(Refusal::RowTooShort(3)));
    assert_eq!(
        quote(&program, &seats(0, 120)),
        Err(Refusal::NoSuchSeat(seat(120), category_no(0)))
    );
    program.status = ProgramStatus::Stopped;
    assert_eq!(quote(&program, &best(0, 1)), Err(Refusal::SaleStopped));
    for count in [0, 21, u32::MAX] {
        assert!(
            SeatSelection::best(category_no(0), count).is_err(),
            "{count}"
        );
    }
}

#[test]
fn only_the_documented_transitions_are_allowed() {
    use Status::{Cancelled, Closed, Paid, Refunded, Refunding, Unpaid};
    let drawn = [
        (Unpaid, Paid),
        (Unpaid, Cancelled),
        (Unpaid, Closed),
        (Paid, Refunding),
        (Refunding, Refunded),
    ];
    for from in Status::ALL {
        for to in Status::ALL {
            assert_eq!(
                from.may_become(to),
                drawn.contains(&(from, to)),
                "{from} -> {to}"
            );
            assert!(
                !from.may_become(to) || from.is_live(),
                "only an order with seats changes: {from} -> {to}"
            );
            assert!(
                !(from.may_become(to) && !from.is_live() && to.is_live()),
                "an ended order never becomes live"
            );
        }
        assert_eq!(
            from.is_final(),
            !from.is_live(),
            "{from}: a state with seats needs a transition that frees them"
        );
        assert_eq!(from.as_str().parse(), Ok(from));
    }
    assert!("Paid".parse::<Status>().is_err());
    let begin: Vec<_> = Status::ALL.into_iter().filter(|s| s.may_begin()).collect();
    assert_eq!(begin, [Unpaid, Status::Rejected, Status::Void]);
}
