//! Seats that are added to a program while its gate is filled.

use shared::gate::{Epoch, FillBegun, LiveOrder};

use super::{added, done, ranges, with_category, with_rows};
use crate::environment::{ENDS, TestEnvironment, best, category, chosen, mine, seat, uid};

/// A loader that has the program as it was before seats were added, after the gate has lost the
/// header's server: the new map has every seat of the old one, and reservations there survive.
#[tokio::test]
async fn a_filling_by_an_older_version_keeps_added_seats() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let grown = with_category(&with_rows(&environment.program, 2, 2), 2, 5);
    environment.grow(&grown).await;
    let held = environment.order();
    environment.held(held, "alice", chosen(&[15, 19])).await;
    let head = environment.program_key("head");
    let _: u64 = environment.query(&["HSET", &head, "replid", "other"]).await;

    let loader = Epoch::new(7);
    assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
    // An order of Postgres in the new category.
    let stored = environment.order();
    let merged = environment
        .gate
        .install_merge(
            environment.at_program(),
            &loader,
            60_000,
            &[LiveOrder {
                order: stored.order,
                nonce: stored.nonce,
                user: uid("bob"),
                category: category(1),
                seats: vec![seat(20)],
                due_in_ms: None,
            }],
        )
        .await;
    assert_eq!(
        merged,
        Ok(shared::gate::Merged::Done {
            displaced: vec![],
            outside: vec![]
        })
    );
    assert_eq!(environment.grow(&grown).await, added(0));
    assert_eq!(
        environment
            .gate
            .install_seats(&grown, &ranges(&[(0, 0), (20, 21)]))
            .await,
        Ok(done(3, &[20]))
    );
    let opened = environment
        .gate
        .install_open(environment.at_program(), &loader);
    assert_eq!(opened.await, Ok(true));
    let free = environment
        .gate
        .availability(environment.at_program())
        .await;
    let free = free.expect("answers").expect("installed").free;
    assert_eq!(free, [(category(0), 17), (category(1), 3)]);
}

/// Seats are added while the gate is being filled, and by another process again.
#[tokio::test]
async fn seats_added_during_a_filling_stay() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let head = environment.program_key("head");
    let _: u64 = environment.query(&["HSET", &head, "replid", "other"]).await;
    let loader = Epoch::new(7);
    environment.begin(ENDS, &loader, 60_000).await;
    let grown = with_rows(&environment.program, 2, 2);
    assert_eq!(environment.grow(&grown).await, added(10));
    // The loader's lease has ended; the next one has the program of before, or of now.
    for program in [&environment.program, &grown] {
        let next = Epoch::new(rand::random());
        let _: u64 = environment.query(&["HSET", &head, "lease", "1"]).await;
        let begun = environment
            .gate
            .install_begin(program, None, &next, 60_000)
            .await;
        assert_eq!(begun, Ok(mine("")));
    }
    assert_eq!(environment.free().await, 20);
}

/// An open gate whose seats are fewer than the caller's program has is not closed for that.
#[tokio::test]
async fn a_newer_program_does_not_close_the_sale() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    for grown in [
        with_rows(&environment.program, 2, 2),
        with_category(&environment.program, 2, 5),
    ] {
        let loader = Epoch::new(7);
        let begun = environment
            .gate
            .install_begin(&grown, None, &loader, 60_000)
            .await;
        assert_eq!(begun, Ok(FillBegun::AlreadyOpen));
    }
    environment
        .held(environment.order(), "alice", best(2))
        .await;
}
