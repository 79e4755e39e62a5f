//! The best seats of one order after the other: the function continues where the last one ended.

use shared::gate::{SettleTo, Settled};

use super::environment::{TestEnvironment, best, chosen, seat, settle_to, uid};
use shared::gate::{OrderAt, Settle};

const GONE: SettleTo = SettleTo::Gone { forget_key: false };

async fn next(environment: &TestEnvironment, count: u32) -> (OrderAt, Vec<u32>) {
    let at = environment.order();
    let user = format!("buyer-{}", at.order);
    let seats = environment.held(at, &user, best(count)).await;
    (at, seats)
}

async fn settle(environment: &TestEnvironment, settle: &Settle) {
    let settled = environment.gate.settle(settle).await.expect("answers");
    assert!(matches!(settled, Settled::Done { .. }), "{settled:?}");
}

/// A row of an order that the gate does not know.
fn unknown(environment: &TestEnvironment, seats: &[u32]) -> Settle {
    let mut unknown = settle_to(
        environment.order(),
        SettleTo::Live {
            due_in_ms: Some(60_000),
        },
    );
    unknown.user = Some(uid("stored"));
    unknown.seats = Some((
        super::environment::category(0),
        seats.iter().map(|n| seat(*n)).collect(),
    ));
    unknown
}

#[tokio::test]
async fn a_freed_seat_in_front_is_the_next_one() {
    let environment = TestEnvironment::open(&[(8, 500)]).await;
    let (first, seats) = next(&environment, 2).await;
    assert_eq!(seats, [0, 1]);
    assert_eq!(next(&environment, 2).await.1, [2, 3]);
    assert_eq!(next(&environment, 3).await.1, [4, 5, 6]);
    settle(&environment, &settle_to(first, GONE)).await;
    assert_eq!(next(&environment, 3).await.1, [7, 8, 9]);
    assert_eq!(next(&environment, 2).await.1, [0, 1]);
    assert_eq!(next(&environment, 2).await.1, [10, 11]);
}

#[tokio::test]
async fn seats_in_front_count_although_the_free_count_is_as_before() {
    let environment = TestEnvironment::open(&[(8, 500)]).await;
    let (first, _) = next(&environment, 2).await;
    next(&environment, 2).await;
    settle(&environment, &unknown(&environment, &[900, 901])).await;
    settle(&environment, &settle_to(first, GONE)).await;
    assert_eq!(next(&environment, 2).await.1, [0, 1]);
}

#[tokio::test]
async fn chosen_seats_change_which_run_is_the_shortest() {
    let environment = TestEnvironment::open(&[(2, 60)]).await;
    assert_eq!(next(&environment, 2).await.1, [0, 1]);
    environment
        .held(environment.order(), "alice", chosen(&[56]))
        .await;
    assert_eq!(next(&environment, 2).await.1, [57, 58]);
    assert_eq!(next(&environment, 1).await.1, [59]);
    assert_eq!(next(&environment, 2).await.1, [2, 3]);
}

/// A version that is deployed at the same time does not record that seats became free.
#[tokio::test]
async fn seats_that_were_taken_unseen_are_not_sold() {
    let environment = TestEnvironment::open(&[(8, 500)]).await;
    assert_eq!(next(&environment, 2).await.1, [0, 1]);
    let map = environment.program_key("seats:0:0");
    let take = async |place: &str, codes: &str| -> u64 {
        environment.query(&["SETRANGE", &map, place, codes]).await
    };
    take("2", "11").await;
    assert_eq!(next(&environment, 2).await.1, [4, 5]);
    take("9", "1").await;
    assert_eq!(
        next(&environment, 2).await.1,
        [6, 7],
        "the shortest run of the row"
    );
    assert_eq!(next(&environment, 1).await.1, [8]);
    assert_eq!(next(&environment, 4).await.1, [10, 11, 12, 13]);
}

/// Some rows are shorter than the longest run that is recorded and some are longer; all end within a
/// chunk.
#[tokio::test]
async fn a_hall_sells_out_row_by_row() {
    for (rows, row_len) in [(90, 24), (120, 20), (9, 500), (700, 3)] {
        let environment = TestEnvironment::open(&[(rows, row_len)]).await;
        let of_row = row_len / 2;
        for n in 0..rows * of_row {
            let at = (n / of_row) * row_len + n % of_row * 2;
            assert_eq!(next(&environment, 2).await.1, [at, at + 1]);
        }
        let singles = rows * (row_len % 2);
        assert_eq!(environment.free().await, singles);
        for row in 0..singles {
            let (_, seats) = next(&environment, 1).await;
            assert_eq!(seats, [row * row_len + row_len - 1]);
        }
        let letters = environment.program_key("longest:0");
        let letters: String = environment.query(&["GET", &letters]).await;
        assert!(letters.chars().all(|letter| letter == 'A'), "{letters}");
    }
}
