//! Seats that are added to a program, blocked and unblocked, while it is on sale.

mod filling;

use shared::gate::{
    Audit, OrderAt, Reserved, SeatChanges, SeatsInstalled, Settle, SettleTo, Settled,
};
use shared::message::ProgramVersion;
use shared::sale::{Category, Layout, Program, SeatRange, SeatRanges, SeatSelection};

use super::environment::{TestEnvironment, best, category, chosen, seat, settle_to, uid};

fn ranges(list: &[(u32, u32)]) -> SeatRanges {
    let range = |(first, last): &(u32, u32)| SeatRange {
        first: seat(*first),
        last: seat(*last),
    };
    SeatRanges::new(list.iter().map(range)).expect("in order")
}

/// The program as of a later version.
fn of_version(program: &Program, version: i64) -> Program {
    Program {
        version: ProgramVersion::new(version).expect("valid"),
        ..program.clone()
    }
}

/// The program of a later version, whose last category has more rows.
fn with_rows(program: &Program, version: i64, rows: u32) -> Program {
    let mut program = of_version(program, version);
    let layout = &mut program.categories.last_mut().expect("a category").layout;
    *layout = Layout::new(layout.first(), rows, layout.row_len()).expect("a valid layout");
    program
}

/// The program of a later version with one more category of one row.
fn with_category(program: &Program, version: i64, row_len: u32) -> Program {
    let mut program = of_version(program, version);
    let last = program.categories.last().expect("a category").clone();
    let first = seat(last.layout.first().get() + last.layout.seats());
    program.categories.push(Category {
        no: category(last.no.get() + 1),
        layout: Layout::new(first, 1, row_len).expect("a valid layout"),
        ..last
    });
    program
}

impl TestEnvironment {
    async fn block(&self, version: i64, list: &[(u32, u32)]) -> SeatsInstalled {
        let program = of_version(&self.program, version);
        let blocked = ranges(list);
        let installed = self.gate.install_seats(&program, &blocked).await;
        installed.expect("answers")
    }

    async fn grow(&self, program: &Program) -> SeatsInstalled {
        self.gate.add_seats(program).await.expect("answers")
    }

    /// The bytes of the first category, joined.
    async fn map(&self, program: &Program) -> String {
        let map = self
            .gate
            .seat_map(self.at_program(), &program.categories[0]);
        let rows = map.await.expect("answers").expect("installed").concat();
        String::from_utf8(rows).expect("digits")
    }

    async fn refused(&self, want: SeatSelection) -> Reserved {
        let request = self.request(self.order(), "eve", want);
        self.gate.reserve(&request).await.expect("answers")
    }

    /// The audit of the first chunk finds nothing to repair.
    async fn is_consistent(&self) {
        let audit = self.gate.audit(self.at_program(), category(0), 0, &[]);
        let Audit::Done(audited) = audit.await.expect("answers") else {
            panic!("not open")
        };
        let repaired = (audited.taken_again, audited.recounted, audited.freed);
        assert_eq!((repaired, audited.unowned), ((0, 0, 0), vec![]));
    }
}

fn done(changed: u32, held: &[u32]) -> SeatsInstalled {
    SeatsInstalled::Done(SeatChanges {
        added: 0,
        changed,
        held: held.iter().map(|n| seat(*n)).collect(),
    })
}

const fn added(seats: u32) -> SeatsInstalled {
    SeatsInstalled::Done(SeatChanges {
        added: seats,
        changed: 0,
        held: Vec::new(),
    })
}

async fn settle_gone(environment: &TestEnvironment, at: OrderAt) {
    let gone = settle_to(at, SettleTo::Gone { forget_key: false });
    let settled = environment.gate.settle(&gone).await;
    assert!(matches!(settled, Ok(Settled::Done { .. })), "{settled:?}");
}

#[tokio::test]
async fn a_blocked_seat_is_not_sold() {
    let environment = TestEnvironment::open(&[(2, 10)]).await;
    assert_eq!(environment.block(2, &[(0, 4), (7, 7)]).await, done(6, &[]));
    assert_eq!(environment.block(2, &[(0, 4), (7, 7)]).await, done(0, &[]));
    assert_eq!(environment.free().await, 14);
    // Chosen seats: the blocked ones are named, whatever the others are.
    environment
        .held(environment.order(), "bob", chosen(&[5]))
        .await;
    let answer = environment.refused(chosen(&[4, 5, 6, 7])).await;
    assert_eq!(answer, Reserved::SeatsBlocked(vec![seat(4), seat(7)]));
    // The best seats: no run has a blocked one.
    assert_eq!(
        environment.held(environment.order(), "bob", best(2)).await,
        [8, 9]
    );
    assert_eq!(
        environment.held(environment.order(), "bob", best(3)).await,
        [10, 11, 12]
    );
    assert_eq!(
        environment.map(&environment.program).await,
        "22222102111110000000"
    );
    environment.is_consistent().await;
    // Unblocked seats are sold again, the best of them first.
    assert_eq!(environment.block(3, &[(0, 1)]).await, done(4, &[]));
    assert_eq!(
        environment
            .held(environment.order(), "carol", best(3))
            .await,
        [2, 3, 4]
    );
    environment.is_consistent().await;
}

#[tokio::test]
async fn all_blocked_is_sold_out() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    assert_eq!(environment.block(2, &[(0, 9)]).await, done(10, &[]));
    assert_eq!(environment.refused(best(1)).await, Reserved::SoldOut);
    assert_eq!(environment.block(3, &[(0, 8)]).await, done(1, &[]));
    let answer = environment.refused(best(2)).await;
    assert_eq!(answer, Reserved::NotAdjacent { free: 1 });
    environment.is_consistent().await;
}

#[tokio::test]
async fn an_order_keeps_its_seat_which_is_blocked_when_it_is_free() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", chosen(&[3, 4])).await;
    assert_eq!(environment.block(2, &[(4, 5)]).await, done(2, &[4]));
    let map = async || environment.map(&environment.program).await;
    assert_eq!(map().await, "0001420000");
    assert_eq!(environment.free().await, 7);
    environment.is_consistent().await;
    // The order goes on to be accepted and stored.
    let accepted = environment.gate.accept(at, 0, 5, 5, 60_000).await;
    assert_eq!(accepted, Ok(shared::gate::Accepted::Yes));
    let live = settle_to(at, SettleTo::Live { due_in_ms: None });
    environment.gate.settle(&live).await.expect("answers");
    assert_eq!(map().await, "0001420000");
    settle_gone(&environment, at).await;
    assert_eq!(map().await, "0000220000");
    assert_eq!(environment.free().await, 8);
    let answer = environment.refused(chosen(&[4])).await;
    assert_eq!(answer, Reserved::SeatsBlocked(vec![seat(4)]));
    environment.is_consistent().await;
}

#[tokio::test]
async fn a_seat_unblocked_while_an_order_has_it_becomes_free() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", chosen(&[4])).await;
    environment.block(2, &[(4, 4)]).await;
    assert_eq!(environment.block(3, &[]).await, done(1, &[]));
    settle_gone(&environment, at).await;
    assert_eq!(environment.free().await, 10);
    environment.is_consistent().await;
}

#[tokio::test]
async fn an_order_of_postgres_gets_a_blocked_seat() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    environment.block(2, &[(4, 5)]).await;
    // The gate has no reservation of it: the row says which seats it has.
    let at = environment.order();
    let to = async |to| {
        let settle = Settle {
            user: Some(uid("alice")),
            seats: Some((category(0), vec![seat(4)])),
            ..settle_to(at, to)
        };
        environment.gate.settle(&settle).await.expect("answers");
        environment.map(&environment.program).await
    };
    let live = SettleTo::Live { due_in_ms: None };
    assert_eq!(to(live).await, "0000420000");
    let gone = SettleTo::Gone { forget_key: false };
    assert_eq!(to(gone).await, "0000220000");
    environment.is_consistent().await;
}

#[tokio::test]
async fn an_older_version_changes_no_newer_map() {
    let environment = TestEnvironment::open(&[(2, 10)]).await;
    environment.block(5, &[(0, 0)]).await;
    assert_eq!(environment.block(4, &[(1, 1)]).await, SeatsInstalled::Newer);
    let grown = with_rows(&environment.program, 4, 3);
    assert_eq!(environment.grow(&grown).await, SeatsInstalled::Newer);
    assert_eq!(environment.free().await, 19);
}

#[tokio::test]
async fn seats_are_blocked_in_every_chunk_and_category() {
    // Two chunks, of four rows and of one, and a small category.
    let environment = TestEnvironment::open(&[(5, 500), (2, 4)]).await;
    let list = [(0, 2499), (2503, 2504)];
    assert_eq!(environment.block(2, &list).await, done(2502, &[]));
    assert_eq!(environment.free().await, 0);
    let best = SeatSelection::best(category(1), 4).expect("valid");
    let answer = environment.refused(best).await;
    assert_eq!(answer, Reserved::NotAdjacent { free: 6 });
    let unblocked = [(0, 1998), (2001, 2499), (2503, 2504)];
    assert_eq!(environment.block(3, &unblocked).await, done(2, &[]));
    let answer = environment.refused(super::environment::best(2)).await;
    let apart = Reserved::NotAdjacent { free: 2 };
    assert_eq!(answer, apart, "the ends of two rows, in two chunks");
    environment.is_consistent().await;
}

#[tokio::test]
async fn added_rows_are_sold_while_the_sale_goes_on() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    environment
        .held(environment.order(), "alice", best(6))
        .await;
    let answer = environment.refused(best(5)).await;
    assert_eq!(answer, Reserved::NotAdjacent { free: 4 });
    let grown = with_rows(&environment.program, 2, 3);
    assert_eq!(environment.grow(&grown).await, added(20));
    assert_eq!(environment.grow(&grown).await, added(0));
    assert_eq!(environment.free().await, 24);
    assert_eq!(
        environment.held(environment.order(), "bob", best(5)).await,
        [10, 11, 12, 13, 14]
    );
    // A caller that has the program of before does not make the map smaller.
    assert_eq!(
        environment.grow(&environment.program).await,
        SeatsInstalled::Newer
    );
    assert_eq!(
        environment
            .held(environment.order(), "carol", chosen(&[29]))
            .await,
        [29]
    );
    environment.is_consistent().await;
}

#[tokio::test]
async fn rows_are_added_to_full_chunks_and_to_part_of_one() {
    // Four rows of 500 are a chunk.
    for (rows, more) in [(3, 4), (4, 5), (3, 9), (8, 9)] {
        let environment = TestEnvironment::open(&[(rows, 500)]).await;
        let last = rows * 500 - 1;
        environment
            .held(environment.order(), "alice", chosen(&[last]))
            .await;
        environment.block(2, &[(last - 2, last - 1)]).await;
        let grown = with_rows(&environment.program, 3, more);
        assert_eq!(environment.grow(&grown).await, added((more - rows) * 500));
        assert_eq!(environment.free().await, more * 500 - 3, "{rows} {more}");
        let map = environment.map(&grown).await;
        assert_eq!(map.len() as u32, more * 500);
        assert_eq!(&map[last as usize - 2..=last as usize + 1], "2210");
        let end = more * 500 - 1;
        environment
            .held(environment.order(), "bob", chosen(&[end]))
            .await;
        for chunk in 0..grown.categories[0].layout.chunks() {
            let audit = environment
                .gate
                .audit(environment.at_program(), category(0), chunk, &[]);
            let Audit::Done(audited) = audit.await.expect("answers") else {
                panic!("chunk {chunk} is missing")
            };
            assert_eq!((audited.recounted, audited.unowned), (0, vec![]));
        }
    }
}

#[tokio::test]
async fn a_new_category_is_sold_at_once() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let grown = with_category(&environment.program, 2, 5);
    let want = SeatSelection::best(category(1), 5).expect("valid");
    assert_eq!(
        environment.refused(want.clone()).await,
        Reserved::NoSuchSeat
    );
    assert_eq!(environment.grow(&grown).await, added(5));
    let seats = environment.held(environment.order(), "alice", want).await;
    assert_eq!(seats, [10, 11, 12, 13, 14]);
    let free = environment
        .gate
        .availability(environment.at_program())
        .await;
    let free = free.expect("answers").expect("installed").free;
    assert_eq!(free, [(category(0), 10), (category(1), 0)]);
}

#[tokio::test]
async fn other_seats_than_the_maps_mark_it_damaged() {
    let environment = TestEnvironment::open(&[(2, 10)]).await;
    let mut other = of_version(&environment.program, 2);
    other.categories[0].layout = Layout::new(seat(0), 4, 5).expect("a valid layout");
    assert_eq!(environment.grow(&other).await, SeatsInstalled::Absent);
    assert_eq!(environment.refused(best(1)).await, Reserved::Rebuild);
}

#[tokio::test]
async fn a_missing_program_gets_no_seats() {
    let url = testkit::servers::redis_url();
    let environment = TestEnvironment::at(&url, &[(1, 10)]).await;
    assert_eq!(
        environment.block(2, &[(0, 0)]).await,
        SeatsInstalled::Absent
    );
    assert_eq!(environment.keys().await, Vec::<String>::new());
}
