//! How many clients' keys of one buyer the gate keeps.

use shared::gate::{Epoch, NamedOrder, OrderAt, Reserved, SettleTo};

use super::stage::{ENDS, Stage, best, idem, mine, settle_to, shared_url, uid};

/// As the script bounds it.
const MAX_KEYS: usize = 32;

async fn kept(stage: &Stage) -> Vec<String> {
    stage
        .keys()
        .await
        .into_iter()
        .filter(|key| key.contains(":idem:"))
        .collect()
}

async fn held(stage: &Stage, key: &str) -> OrderAt {
    let at = stage.order();
    let mut wish = stage.wish(at, "alice", best(1));
    wish.idempotency = Some((idem(key), "aa".into()));
    let answer = stage.gate.reserve(&wish).await.expect("answers");
    assert!(matches!(answer, Reserved::Held { .. }), "{key}: {answer:?}");
    at
}

async fn recall(stage: &Stage, key: &str) -> Option<Reserved> {
    stage
        .gate
        .recall(
            stage.at_program(),
            &uid("alice"),
            (&idem(key), "aa"),
            30_000,
        )
        .await
        .expect("answers")
}

#[tokio::test]
async fn cancelled_orders_leave_a_bounded_number_of_keys() {
    let stage = Stage::open(&[(2, 20)]).await;
    let live = held(&stage, "live").await;
    let mut ended = Vec::new();
    for n in 0..200 {
        let at = held(&stage, &format!("key-{n}")).await;
        stage
            .gate
            .settle(&settle_to(at, SettleTo::Gone { forget_key: false }))
            .await
            .expect("answers");
        ended.push(at);
    }
    let keys = kept(&stage).await;
    assert_eq!(keys.len(), MAX_KEYS);
    let mut bytes: u64 = stage
        .ask(&["MEMORY", "USAGE", &stage.key("keys:17:alice")])
        .await;
    for key in &keys {
        bytes += stage.ask::<u64>(&["MEMORY", "USAGE", key]).await;
    }
    println!("{bytes} bytes for {} keys of one buyer", keys.len());
    assert!(bytes < 16 * 1024, "{bytes} bytes are kept of one buyer");
    // The youngest are still what their requests lead to; the oldest is as after its time.
    let last = ended.last().expect("some");
    assert_eq!(
        recall(&stage, "key-199").await,
        Some(Reserved::Ended {
            order: last.order,
            nonce: last.nonce
        })
    );
    assert_eq!(recall(&stage, "key-0").await, None);
    let found = recall(&stage, "live").await;
    assert!(
        matches!(found, Some(Reserved::Again { order, .. }) if order == live.order),
        "{found:?}"
    );
}

#[tokio::test]
async fn the_keys_of_live_orders_are_never_forgotten() {
    let stage = Stage::open(&[(2, 40)]).await;
    let mut live = Vec::new();
    for n in 0..MAX_KEYS + 8 {
        let at = stage.order();
        let mut wish = stage.wish(at, "alice", best(1));
        wish.user_limit = 100;
        wish.idempotency = Some((idem(&format!("live-{n}")), "aa".into()));
        assert!(matches!(
            stage.gate.reserve(&wish).await,
            Ok(Reserved::Held { .. })
        ));
        live.push(at);
    }
    for (n, at) in live.iter().enumerate() {
        let found = recall(&stage, &format!("live-{n}")).await;
        assert!(
            matches!(found, Some(Reserved::Again { order, .. }) if order == at.order),
            "{n}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_filled_gate_keeps_the_youngest_keys() {
    let stage = Stage::at(&shared_url(), &[(1, 10)]).await;
    let loader = Epoch::new(1);
    assert_eq!(stage.begin(ENDS, &loader, 60_000).await, mine(""));
    let named: Vec<NamedOrder> = (0..200_u64)
        .map(|n| {
            let at = stage.order();
            let user = uid("alice");
            let key = idem(&format!("key-{n}"));
            NamedOrder {
                user,
                key,
                order: at.order,
                nonce: at.nonce,
                body_hash: "aa".into(),
                ttl_ms: 60_000 + n,
            }
        })
        .collect();
    for page in named.chunks(90) {
        assert_eq!(
            stage
                .gate
                .install_keys(stage.at_program(), &loader, 60_000, page)
                .await,
            Ok(true)
        );
    }
    assert_eq!(kept(&stage).await.len(), MAX_KEYS);
    assert_eq!(
        stage.gate.install_open(stage.at_program(), &loader).await,
        Ok(true)
    );
    assert_eq!(recall(&stage, "key-0").await, None);
    assert!(matches!(
        recall(&stage, "key-199").await,
        Some(Reserved::Ended { .. })
    ));
}
