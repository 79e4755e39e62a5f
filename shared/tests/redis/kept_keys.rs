//! The bound on a buyer's idempotency keys.

use shared::gate::{Epoch, NamedOrder, OrderAt, Reserved, SettleTo};

use testkit::servers::redis_url;

use super::environment::{ENDS, TestEnvironment, best, hash, idem, mine, settle_to, uid};

/// The bound in the script.
const MAX_KEYS: usize = 32;

/// How many keys of the buyer are stored.
async fn kept(environment: &TestEnvironment) -> usize {
    let text: String = environment
        .query(&["GET", &environment.key("idems:17:alice")])
        .await;
    text.lines().count() - 1
}

async fn held(environment: &TestEnvironment, key: &str) -> OrderAt {
    let at = environment.order();
    let mut request = environment.request(at, "alice", best(1));
    request.idempotency = Some((idem(key), hash(0xaa)));
    let answer = environment.gate.reserve(&request).await.expect("answers");
    assert!(matches!(answer, Reserved::Held { .. }), "{key}: {answer:?}");
    at
}

async fn recall(environment: &TestEnvironment, key: &str) -> Option<Reserved> {
    environment
        .gate
        .recall(
            environment.at_program(),
            &uid("alice"),
            (&idem(key), hash(0xaa)),
            30_000,
        )
        .await
        .expect("answers")
}

#[tokio::test]
async fn cancelled_orders_leave_a_bounded_number_of_keys() {
    let environment = TestEnvironment::open(&[(2, 20)]).await;
    let live = held(&environment, "live").await;
    let mut ended = Vec::new();
    for n in 0..200 {
        let at = held(&environment, &format!("key-{n}")).await;
        environment
            .gate
            .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
            .await
            .expect("answers");
        ended.push(at);
    }
    assert_eq!(kept(&environment).await, MAX_KEYS);
    let bytes: u64 = environment
        .query(&["MEMORY", "USAGE", &environment.key("idems:17:alice")])
        .await;
    println!("{bytes} bytes for {MAX_KEYS} keys of one buyer");
    assert!(bytes < 16 * 1024, "{bytes} bytes are stored for one buyer");
    // The youngest keys still find their orders; the oldest key is new again.
    let last = ended.last().expect("some");
    assert_eq!(
        recall(&environment, "key-199").await,
        Some(Reserved::Ended {
            order: last.order,
            nonce: last.nonce
        })
    );
    assert_eq!(recall(&environment, "key-0").await, None);
    let found = recall(&environment, "live").await;
    assert!(
        matches!(found, Some(Reserved::Again { order, .. }) if order == live.order),
        "{found:?}"
    );
}

#[tokio::test]
async fn keys_of_live_orders_are_never_deleted() {
    let environment = TestEnvironment::open(&[(2, 40)]).await;
    let mut live = Vec::new();
    for n in 0..MAX_KEYS + 8 {
        let at = environment.order();
        let mut request = environment.request(at, "alice", best(1));
        request.user_limit = 100;
        request.idempotency = Some((idem(&format!("live-{n}")), hash(0xaa)));
        assert!(matches!(
            environment.gate.reserve(&request).await,
            Ok(Reserved::Held { .. })
        ));
        live.push(at);
    }
    for (n, at) in live.iter().enumerate() {
        let found = recall(&environment, &format!("live-{n}")).await;
        assert!(
            matches!(found, Some(Reserved::Again { order, .. }) if order == at.order),
            "{n}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_filled_gate_keeps_the_youngest_keys() {
    let environment = TestEnvironment::at(&redis_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
    let named: Vec<NamedOrder> = (0..200_u64)
        .map(|n| {
            let at = environment.order();
            let user = uid("alice");
            let key = idem(&format!("key-{n}"));
            NamedOrder {
                user,
                key,
                order: at.order,
                nonce: at.nonce,
                body_hash: hash(0xaa).to_string(),
                ttl_ms: 60_000 + n,
            }
        })
        .collect();
    for page in named.chunks(90) {
        assert_eq!(
            environment
                .gate
                .install_keys(environment.at_program(), &loader, 60_000, page)
                .await,
            Ok(true)
        );
    }
    assert_eq!(kept(&environment).await, MAX_KEYS);
    assert_eq!(
        environment
            .gate
            .install_open(environment.at_program(), &loader)
            .await,
        Ok(true)
    );
    assert_eq!(recall(&environment, "key-0").await, None);
    assert!(matches!(
        recall(&environment, "key-199").await,
        Some(Reserved::Ended { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn restored_keys_find_their_orders() {
    let environment = TestEnvironment::at(&testkit::servers::redis_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
    let known = environment.order();
    let older = environment.order();
    let named = |at: OrderAt, key, body_hash: String| NamedOrder {
        user: uid("alice"),
        key: idem(key),
        order: at.order,
        nonce: at.nonce,
        body_hash,
        ttl_ms: 60_000,
    };
    let keys = [
        named(known, "k", hash(1).to_string()),
        named(older, "o", String::new()),
    ];
    for _ in 0..2 {
        assert_eq!(
            environment
                .gate
                .install_keys(environment.at_program(), &loader, 60_000, &keys)
                .await,
            Ok(true)
        );
    }
    let stranger = Epoch::new(2);
    assert_eq!(
        environment
            .gate
            .install_keys(environment.at_program(), &stranger, 60_000, &keys)
            .await,
        Ok(false)
    );
    assert_eq!(
        environment
            .gate
            .install_open(environment.at_program(), &loader)
            .await,
        Ok(true)
    );
    assert_eq!(
        environment
            .gate
            .install_keys(environment.at_program(), &loader, 60_000, &keys)
            .await,
        Ok(false),
        "open"
    );

    let query = async |key, body| {
        let mut request = environment.request(environment.order(), "alice", best(1));
        request.idempotency = Some((idem(key), hash(body)));
        environment.gate.reserve(&request).await.expect("answers")
    };
    assert_eq!(
        query("k", 1).await,
        Reserved::Ended {
            order: known.order,
            nonce: known.nonce
        }
    );
    assert_eq!(query("k", 2).await, Reserved::KeyReused);
    // A row of an earlier version has no hash: any body finds its order.
    assert_eq!(
        query("o", 2).await,
        Reserved::Ended {
            order: older.order,
            nonce: older.nonce
        }
    );
    let kept: u64 = environment
        .query(&["PTTL", &environment.key("idems:17:alice")])
        .await;
    // A key ends at a whole millisecond, rounded up.
    assert!((1..=60_001).contains(&kept), "{kept}");
}
