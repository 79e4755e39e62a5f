//! Orders that one call settles end as if each had a call of its own.

use std::collections::BTreeMap;

use shared::gate::{OrderAt, Settle, SettleTo, Settled};

use crate::environment::{
    TestEnvironment, best, category, chosen, hash, idem, nonce, number, seat, settle_to, uid,
};

const GONE: SettleTo = SettleTo::Gone { forget_key: true };
const UNPAID: SettleTo = SettleTo::Live {
    due_in_ms: Some(600_000),
};
const PAID: SettleTo = SettleTo::Live { due_in_ms: None };

fn order(environment: &TestEnvironment, n: u16) -> OrderAt {
    OrderAt {
        order: number(n),
        nonce: nonce(n.into()),
        program: environment.at_program(),
    }
}

fn row(at: OrderAt, user: &str, seats: &[u32], to: SettleTo) -> Settle {
    Settle {
        user: Some(uid(user)),
        seats: Some((category(0), seats.iter().map(|n| seat(*n)).collect())),
        ..settle_to(at, to)
    }
}

/// Orders in every state, and what Postgres says of each.
async fn prepare(environment: &TestEnvironment) -> Vec<Settle> {
    environment.install().await;
    let at = |n| order(environment, n);
    for (n, user, seats) in [
        (1, "ann", [0, 1]),
        (2, "ben", [2, 3]),
        (3, "cleo", [4, 5]),
        (4, "dan", [6, 7]),
        (5, "eve", [8, 9]),
        (6, "fay", [10, 11]),
        (13, "lee", [14, 15]),
    ] {
        let mut request = environment.request(at(n), user, chosen(&seats));
        request.idempotency = Some((idem("k"), hash(0xaa)));
        environment.gate.reserve(&request).await.expect("answers");
    }
    for n in [1, 2, 6, 13] {
        let accepted = environment.gate.accept(at(n), 0, n.into(), 0, 600_000);
        accepted.await.expect("answers");
    }
    let gate = &environment.gate;
    gate.settle(&settle_to(at(5), GONE)).await.expect("answers");
    vec![
        // accepted, as stored
        row(at(1), "ann", &[0, 1], UNPAID),
        // accepted, and paid before it was settled
        row(at(2), "ben", &[2, 3], PAID),
        // stored before it was accepted
        row(at(3), "cleo", &[4, 5], UNPAID),
        // cancelled; its seats are those of the next order
        settle_to(at(4), GONE),
        row(at(7), "gus", &[6, 7], UNPAID),
        // takes a seat of an order in flight, and is settled again as ended
        row(at(8), "hal", &[11, 12], UNPAID),
        row(at(8), "hal", &[11, 12], GONE),
        row(at(8), "hal", &[11, 12], UNPAID),
        // has a tombstone; has no row and no reservation; names a seat that does not exist
        row(at(5), "eve", &[8, 9], UNPAID),
        settle_to(at(9), UNPAID),
        row(at(10), "ida", &[39, 40], UNPAID),
        // two rows with the same seat
        row(at(11), "joe", &[20, 21], UNPAID),
        row(at(12), "kim", &[21, 22], UNPAID),
        // by the data of its reservation
        settle_to(at(6), UNPAID),
        // the same, and ended
        settle_to(at(13), UNPAID),
        settle_to(at(13), GONE),
    ]
}

/// Every key that holds no time, and the orders with a timeout.
async fn contents(environment: &TestEnvironment) -> BTreeMap<String, Vec<String>> {
    let prefix = environment.names.prefix().to_owned();
    let mut contents = BTreeMap::new();
    for key in environment.keys().await {
        let kind: String = environment.query(&["TYPE", &key]).await;
        let mut words: Vec<String> = match kind.as_str() {
            "hash" if key.ends_with(":head") => {
                environment.query(&["HMGET", &key, "state", "free:0"]).await
            }
            "hash" => {
                let fields = environment.hash(&key).await;
                fields
                    .into_iter()
                    .map(|(f, v)| format!("{f}={v}"))
                    .collect()
            }
            "zset" => environment.query(&["ZRANGE", &key, "0", "-1"]).await,
            // The keys of a buyer, without their ends.
            _ if key.contains(":idems:") => {
                let text: String = environment.query(&["GET", &key]).await;
                let lines = text.lines().skip(1);
                let named = lines.filter_map(|line| line.rsplit_once(' '));
                named.map(|(named, _)| named.to_owned()).collect()
            }
            _ => vec![environment.query(&["GET", &key]).await],
        };
        words.sort();
        contents.insert(key.replacen(&prefix, "", 1), words);
    }
    contents
}

#[tokio::test]
async fn orders_settled_in_one_call_end_as_one_by_one() {
    let url = testkit::servers::redis_url();
    let together = TestEnvironment::at(&url, &[(2, 20)]).await;
    let singly = TestEnvironment::at(&url, &[(2, 20)]).await;
    let settles = prepare(&together).await;
    let results = together.gate.settle_all(&settles).await;
    let mut expected = Vec::new();
    for settle in prepare(&singly).await {
        expected.push(singly.gate.settle(&settle).await);
    }
    assert_eq!(results, expected);
    assert_eq!(contents(&together).await, contents(&singly).await);
    let displaced = |n| match &results[n] {
        Ok(Settled::Done { displaced, .. }) => {
            displaced.iter().map(|(number, _)| *number).collect()
        }
        _ => Vec::new(),
    };
    assert_eq!(
        (displaced(5), displaced(12)),
        (vec![number(6)], vec![number(11)])
    );
    assert_eq!(results[7], Ok(Settled::Tombstoned));
}

#[tokio::test]
async fn every_order_of_a_large_call_has_its_own_result() {
    let environment = TestEnvironment::open(&[(40, 20)]).await;
    let mut settles = Vec::new();
    for n in 0..300_u16 {
        let at = order(&environment, n);
        let user = format!("user{n}");
        let seats = environment.held(at, &user, best(2)).await;
        settles.push(row(
            at,
            &user,
            &seats,
            if n % 3 == 0 { GONE } else { UNPAID },
        ));
    }
    settles.push(row(order(&environment, 300), "late", &[799, 800], UNPAID));
    let results = environment.gate.settle_all(&settles).await;
    assert_eq!(results.len(), 301);
    for (n, result) in results.iter().take(300).enumerate() {
        let freed = if n % 3 == 0 { 2 } else { 0 };
        let done = Settled::Done {
            displaced: vec![],
            freed,
        };
        assert_eq!(*result, Ok(done), "order {n}");
    }
    assert_eq!(results[300], Ok(Settled::NoSuchSeat));
    assert_eq!(environment.free().await, 800 - 400);
}

/// A fault of one process can give two orders the same number.
#[tokio::test]
async fn tickets_follow_the_order_settled_last_of_two_with_one_number() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let accepted = order(&environment, 1);
    let request = environment.request(accepted, "ann", chosen(&[0]));
    environment.gate.reserve(&request).await.expect("answers");
    let accept = environment.gate.accept(accepted, 0, 1, 0, 600_000);
    accept.await.expect("answers");
    let other = OrderAt {
        nonce: nonce(9),
        ..accepted
    };
    let tickets = environment.program_key("user:ann");
    for (settle, count) in [
        (row(other, "ann", &[1, 2], UNPAID), "2"),
        (settle_to(accepted, UNPAID), "1"),
    ] {
        let settled = environment.gate.settle(&settle).await.expect("answers");
        assert!(matches!(settled, Settled::Done { .. }), "{settled:?}");
        let found = environment.hash(&tickets).await;
        assert_eq!(found[&accepted.order.to_string()], count);
    }
}
