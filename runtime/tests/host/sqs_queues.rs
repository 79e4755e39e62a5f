//! Queues that the host creates and updates.

use std::time::Duration;

use serde_json::Value;
use testkit::eventually;
use usher::sources::sqs;

use crate::sqs_fixture::{SqsFixture, arn, queue};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_follow_the_template() {
    let fixture = SqsFixture::with(crate::sqs_fixture::endpoint(), "", Some(3)).await;
    let [own, dead] = [0, 1].map(|at| fixture.queues[at].name.clone());
    sqs::ensure(&fixture.sqs, &fixture.queues).await.unwrap();
    let policy: Value =
        serde_json::from_str(&fixture.attributes(&own).await["RedrivePolicy"]).unwrap();
    assert_eq!(
        (
            policy["deadLetterTargetArn"].as_str(),
            policy["maxReceiveCount"].to_string()
        ),
        (Some(arn(&dead).as_str()), "3".into())
    );
    // this server cannot remove a redrive policy; all else is updated
    let mut changed = queue(&own, None);
    changed
        .attributes
        .insert("VisibilityTimeout".into(), "77".into());
    sqs::ensure(&fixture.sqs, &[changed, queue(&dead, None)])
        .await
        .unwrap();
    assert_eq!(
        fixture.sqs.visibility(&own).await,
        Ok(Duration::from_secs(77))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_queue_is_created_again() {
    let fixture = SqsFixture::new().await;
    let running = fixture.start();
    fixture.send(&["before"]).await;
    fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    fixture
        .client
        .delete_queue()
        .queue_url(fixture.url(fixture.mapping.queue_name()))
        .send()
        .await
        .unwrap();
    eventually("the queue is there again", async || {
        fixture
            .sqs
            .exists(fixture.mapping.queue_name())
            .await
            .ok()
            .filter(|there| *there)
    })
    .await;
    fixture.send(&["after"]).await;
    fixture.eventually_done(2).await;
    running.drain().await;
}
