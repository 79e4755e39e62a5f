//! The audit of one chunk, part by part.

use shared::gate::{Audit, AuditedChunk, OrderAt, Release};

use super::environment::{TestEnvironment, category, chosen, seat};

async fn audit(environment: &TestEnvironment, releases: &[Release]) -> AuditedChunk {
    let at = environment.at_program();
    match environment.gate.audit(at, category(0), 0, releases).await {
        Ok(Audit::Done(audited)) => audited,
        other => panic!("expected a chunk, got {other:?}"),
    }
}

async fn write(environment: &TestEnvironment, place: u32, code: &str) {
    let map = environment.program_key("seats:0:0");
    let place = place.to_string();
    let _: u64 = environment.query(&["SETRANGE", &map, &place, code]).await;
}

#[tokio::test]
async fn every_part_of_a_chunk_is_compared() {
    // 20 rows of 100 are one chunk of four parts.
    let environment = TestEnvironment::open(&[(20, 100)]).await;
    let mut held: Vec<(OrderAt, Vec<u32>)> = Vec::new();
    for seats in [vec![0, 1], vec![499], vec![500, 501], vec![1998, 1999]] {
        let at = environment.order();
        let user = format!("buyer-{}", seats[0]);
        held.push((at, environment.held(at, &user, chosen(&seats)).await));
    }
    write(&environment, 1999, "0").await;
    write(&environment, 700, "1").await;
    write(&environment, 1000, "1").await;

    let found = audit(&environment, &[]).await;
    assert_eq!((found.taken_again, found.freed), (1, 0));
    assert_eq!(found.unowned, [seat(700), seat(1000)]);
    let owners: Vec<_> = found.taken.iter().map(|t| (t.order, t.seat)).collect();
    let expected = held.iter().flat_map(|(at, seats)| {
        let seats = seats.iter();
        seats.map(|n| (at.order, seat(*n)))
    });
    assert_eq!(owners, expected.collect::<Vec<_>>());

    let releases: Vec<Release> = [(700, None), (1000, None), (500, Some(held[2].0))]
        .into_iter()
        .map(|(n, owner): (u32, Option<OrderAt>)| Release {
            seat: seat(n),
            owner: owner.map(|at| (at.order, at.nonce)),
        })
        .collect();
    let found = audit(&environment, &releases).await;
    assert_eq!((found.taken_again, found.freed), (0, 3));
    assert_eq!(environment.free().await, 2000 - 6);
    let found = audit(&environment, &[]).await;
    assert_eq!((found.taken_again, found.recounted, found.freed), (0, 0, 0));
    assert!(found.unowned.is_empty());
}

#[tokio::test]
async fn wrong_counts_are_found_with_the_last_part() {
    let environment = TestEnvironment::open(&[(20, 100)]).await;
    let head = environment.program_key("head");
    let _: u64 = environment.query(&["HSET", &head, "free:0", "7"]).await;
    let longest = environment.program_key("longest:0");
    let _: String = environment.query(&["SET", &longest, "B"]).await;
    assert_eq!(audit(&environment, &[]).await.recounted, 2);
    assert_eq!(environment.free().await, 2000);
    assert_eq!(audit(&environment, &[]).await, AuditedChunk::default());
}
