//! The timeout entry of an order that is accepted.

use delay_queue::Fenced;
use shared::gate::{Accepted, OrderAt, TimeoutJob};

use super::environment::{TestEnvironment, best};

const DUE_MS: u64 = 60_000;

async fn accept(environment: &TestEnvironment, at: OrderAt) {
    let accepted = environment.gate.accept(at, -1, 5, 7, DUE_MS).await;
    assert_eq!(accepted, Ok(Accepted::Yes));
}

#[tokio::test]
async fn accepting_revokes_a_lease_and_the_attempts() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    let mut request = environment.request(at, "alice", best(1));
    request.publish_window_ms = 1;
    environment.gate.reserve(&request).await.expect("answers");
    let queue = environment.gate.timeouts();
    let first = environment.claim_entry(at).await;
    let returned = queue.retry(&first, 0).await;
    assert_eq!(returned, Ok(Fenced::Done));
    let second = environment.claim_entry(at).await;
    assert_eq!(second.attempt, 2);

    accept(&environment, at).await;
    assert_eq!(queue.ack(&second).await, Ok(Fenced::Stale));
    let entry = queue
        .peek(at.program.shard, &at.order.to_string())
        .await
        .expect("answers")
        .expect("an entry");
    assert_eq!((entry.attempts, entry.leased), (0, false));
    let left = environment.entry(at).await.expect("an entry");
    assert!((1..=DUE_MS + 1).contains(&left), "{left}");
}

#[tokio::test]
async fn accepting_adds_an_entry_that_was_lost() {
    let environment = TestEnvironment::open(&[(1, 10)]).await;
    let at = environment.order();
    environment.held(at, "alice", best(1)).await;
    for part in ["due", "job"] {
        let key = environment.key(&format!("delay:order-timeout:{part}"));
        let _: u64 = environment.query(&["DEL", &key]).await;
    }
    accept(&environment, at).await;
    let job = TimeoutJob {
        program: environment.program.id,
        nonce: at.nonce,
    };
    let bodies = environment.key("delay:order-timeout:job");
    assert_eq!(
        environment
            .hash(&bodies)
            .await
            .into_values()
            .collect::<Vec<_>>(),
        [job.body()]
    );
    assert!(environment.entry(at).await.is_some());
}
