//! Seats added to programs, blocked and unblocked.

use shared::message::{
    CategoryNo, Cents, ProgramChanged, ProgramId, ProgramVersion, SeatIndex, UserId,
};
use shared::sale::{
    BadAddition, MoreRows, NewCategory, Program, ProgramStatus, SeatAddition, SeatRange, SeatRanges,
};
use shared::store::{ProgramSeats, SeatBlock, SeatsAdded, SeatsBlocked};

use crate::environment::{Environment, with};

fn seat(n: u32) -> SeatIndex {
    SeatIndex::new(n).expect("seat")
}

fn version(n: i64) -> ProgramVersion {
    ProgramVersion::new(n).expect("version")
}

fn ranges(list: &[(u32, u32)]) -> SeatRanges {
    let range = |(first, last): &(u32, u32)| SeatRange {
        first: seat(*first),
        last: seat(*last),
    };
    SeatRanges::new(list.iter().map(range)).expect("in order")
}

/// Rows for the last category of the program, and categories of two rows of three seats.
fn addition(program: &Program, rows: Option<u32>, categories: usize) -> SeatAddition {
    let last = program.categories.last().expect("a category");
    SeatAddition {
        rows: rows.map(|rows| MoreRows { no: last.no, rows }),
        categories: vec![
            NewCategory {
                name: "Balcony".to_owned(),
                rows: 2,
                row_len: 3,
                price: Cents::new(700).expect("price"),
            };
            categories
        ],
    }
}

impl Environment {
    async fn block(&self, id: ProgramId, list: &[(u32, u32)], reason: &str) -> SeatsBlocked {
        let by = UserId::new("house").expect("user");
        let to = SeatBlock::Block { reason, by: &by };
        let blocked = self.store.block_seats(id, &ranges(list), to).await;
        blocked.expect("postgres")
    }

    async fn unblock(&self, id: ProgramId, list: &[(u32, u32)]) -> SeatsBlocked {
        let seats = ranges(list);
        let unblocked = self.store.block_seats(id, &seats, SeatBlock::Unblock);
        unblocked.await.expect("postgres")
    }

    async fn seats(&self, id: ProgramId) -> ProgramSeats {
        let seats = self.store.program_seats(id).await.expect("postgres");
        seats.expect("a program")
    }

    async fn add(&self, program: &Program, addition: &SeatAddition) -> SeatsAdded {
        let added = self.store.add_seats(program.id, program.version, addition);
        added.await.expect("postgres")
    }

    /// Changes that wait in the outbox.
    async fn outbox(&self) -> Vec<i64> {
        self.run("UPDATE outbox SET created_at = created_at - interval '1 minute'")
            .await;
        let left = self.store.unpublished(100).await.expect("postgres");
        left.into_iter()
            .map(|ProgramChanged { version, .. }| version.get())
            .collect()
    }
}

#[tokio::test]
async fn a_block_is_one_change_of_the_program() {
    with(|env| async move {
        let id = env.program().await.id;
        let SeatsBlocked::Done { program, seats } = env.block(id, &[(0, 2), (5, 5)], "a").await
        else {
            panic!("not blocked")
        };
        assert_eq!((program.version, seats), (version(2), 4));
        let found = env.seats(id).await;
        assert_eq!(
            (found.program, found.blocked, found.dirty),
            (program, ranges(&[(0, 2), (5, 5)]), true)
        );
        // What is blocked keeps its reason; the others join it.
        let blocked = env.block(id, &[(1, 3)], "b").await;
        assert!(matches!(blocked, SeatsBlocked::Done { seats: 1, .. }));
        let listed = env
            .store
            .blocked_seats(id, None, 10)
            .await
            .expect("postgres");
        let shown: Vec<_> = listed
            .iter()
            .map(|range| (range.first.get(), range.last.get(), range.reason.as_str()))
            .collect();
        assert_eq!(shown, [(0, 2, "a"), (3, 3, "b"), (5, 5, "a")]);
        assert!(listed.iter().all(|range| range.blocked_by == "house"));
        let page = env.store.blocked_seats(id, Some(seat(0)), 1).await;
        assert_eq!(page.expect("postgres"), listed[1..2]);
        let unblocked = env.unblock(id, &[(2, 5)]).await;
        assert!(matches!(unblocked, SeatsBlocked::Done { seats: 3, .. }));
        assert_eq!(env.seats(id).await.blocked, ranges(&[(0, 1)]));
        assert_eq!(env.outbox().await, [1, 2, 3, 4], "each change is announced");
    })
    .await;
}

#[tokio::test]
async fn a_block_that_changes_nothing_is_no_change() {
    with(|env| async move {
        let program = env.program().await;
        let id = program.id;
        assert_eq!(
            env.unblock(id, &[(0, 3)]).await,
            SeatsBlocked::Already(program.clone())
        );
        env.block(id, &[(0, 3)], "a").await;
        let again = env.block(id, &[(1, 2)], "b").await;
        let SeatsBlocked::Already(same) = again else {
            panic!("{again:?}")
        };
        assert_eq!(same.version, version(2));
        // Seats that the program does not have, beside one that it has.
        let end = program.categories.iter().map(|c| c.layout.seats()).sum();
        for list in [[(0, end)], [(end, end + 5)]] {
            let refused = env.block(id, &list, "a").await;
            assert_eq!(refused, SeatsBlocked::NoSuchSeat(seat(end)), "{list:?}");
        }
        let unknown = ProgramId::new(999_999).expect("id");
        assert_eq!(
            env.block(unknown, &[(0, 0)], "a").await,
            SeatsBlocked::NoSuchProgram
        );
        let none = env.store.program_seats(unknown).await.expect("postgres");
        assert_eq!(none, None);
        assert_eq!(env.outbox().await, [1, 2]);
    })
    .await;
}

#[tokio::test]
async fn seats_are_appended_and_none_moves() {
    with(|env| async move {
        let before = env.program().await;
        let last = before.categories.last().expect("a category").layout;
        let more = addition(&before, Some(last.rows() + 2), 2);
        let SeatsAdded::Done(program) = env.add(&before, &more).await else {
            panic!("not added")
        };
        let expected = more.apply(&before).expect("possible");
        assert_eq!(
            (program.version, &program.categories),
            (version(2), &expected)
        );
        assert_eq!(
            env.store
                .program(before.id)
                .await
                .expect("postgres")
                .as_ref(),
            Some(&program)
        );
        for of in before.categories.iter().flat_map(|c| c.layout.all()) {
            assert_eq!(program.place(of), before.place(of));
        }
        assert!(env.seats(before.id).await.dirty);
        // Blocked seats of new categories are read with them.
        let end: u32 = program.categories.iter().map(|c| c.layout.seats()).sum();
        env.block(before.id, &[(end - 7, end - 5)], "a").await;
        let blocked = env.seats(before.id).await.blocked;
        assert_eq!(blocked, ranges(&[(end - 7, end - 5)]), "in two categories");
        assert_eq!(env.outbox().await, [1, 2, 3]);
    })
    .await;
}

#[tokio::test]
async fn nothing_shrinks_and_nothing_is_half_added() {
    with(|env| async move {
        let program = env.program().await;
        let last = program.categories.last().expect("a category");
        let (no, has) = (last.no, last.layout.rows());
        for rows in [1, has] {
            let refused = env.add(&program, &addition(&program, Some(rows), 1)).await;
            let expected = BadAddition::NoMoreRows { no, has };
            assert_eq!(refused, SeatsAdded::Refused(expected));
        }
        let first = MoreRows {
            no: CategoryNo::new(0).expect("no"),
            rows: 99,
        };
        let of_first = SeatAddition {
            rows: Some(first),
            categories: vec![],
        };
        assert_eq!(
            env.add(&program, &of_first).await,
            SeatsAdded::Refused(BadAddition::NotLast(first.no, no))
        );
        let other = Program {
            version: version(2),
            ..program.clone()
        };
        assert_eq!(
            env.add(&other, &addition(&program, None, 1)).await,
            SeatsAdded::VersionDiffers(version(1))
        );
        let missing = Program {
            id: ProgramId::new(999_999).expect("id"),
            ..program.clone()
        };
        assert_eq!(
            env.add(&missing, &addition(&program, None, 1)).await,
            SeatsAdded::NoSuchProgram
        );
        assert_eq!(env.seats(program.id).await.program, program);
        assert_eq!(env.outbox().await, [1]);
    })
    .await;
}

#[tokio::test]
async fn seats_stay_dirty_until_their_latest_version_is_settled() {
    with(|env| async move {
        let program = env.program().await;
        let dirty = async || env.store.dirty_seats(None, 10).await.expect("postgres");
        assert!(dirty().await.is_empty());
        env.block(program.id, &[(0, 0)], "a").await;
        assert_eq!(dirty().await, [program.id]);
        // A later change of any kind keeps the flag.
        env.store
            .switch_sale(program.id, ProgramStatus::Stopped)
            .await
            .expect("postgres");
        let settled = async |n| {
            let settled = env.store.seats_settled(program.id, version(n)).await;
            settled.expect("postgres");
        };
        settled(2).await;
        assert_eq!(dirty().await, [program.id]);
        settled(3).await;
        assert!(dirty().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn concurrent_blocks_are_all_kept() {
    with(|env| async move {
        let id = env.program().await.id;
        let blocks = (0..6).map(|n| {
            let store = env.store.clone();
            async move {
                let by = UserId::new("house").expect("user");
                let to = SeatBlock::Block {
                    reason: "a",
                    by: &by,
                };
                // Each overlaps its neighbours.
                let list = ranges(&[(n, n + 2)]);
                store.block_seats(id, &list, to).await.expect("postgres")
            }
        });
        let changed: u64 = futures::future::join_all(blocks)
            .await
            .iter()
            .map(|blocked| match blocked {
                SeatsBlocked::Done { seats, .. } => *seats,
                _ => 0,
            })
            .sum();
        assert_eq!(changed, 8, "each seat is blocked once");
        assert_eq!(env.seats(id).await.blocked, ranges(&[(0, 7)]));
    })
    .await;
}
