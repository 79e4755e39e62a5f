//! No order is taken while order-create stores none.

use testkit::wait::until;

use crate::support::{Scripted, keyed, open_with_settings, problem, program, settings, store, two};

#[tokio::test]
async fn a_stalled_order_create_ends_admission_until_it_moves() {
    let publisher = Scripted::new([]);
    let settings = settings(&[
        ("PAY_WINDOW_SECONDS", "3"),
        ("PUBLISH_WINDOW_MS", "2000"),
        ("DELIVERY_TIMEOUT_MS", "500"),
        ("ORDER_WAIT_STALL_MS", "100"),
    ]);
    let app = open_with_settings(settings, publisher.clone()).await;
    let id = program(&app).await;
    let order = keyed(two(&id, "alice"), "k");
    assert_eq!(app.serve(&order).await.expect("accepted").status, 202);
    let mut refusal = None;
    until("orders are refused", async || {
        refusal = app.serve(&order).await.err();
        refusal.is_some()
    })
    .await;
    let refusal = refusal.expect("refused");
    assert_eq!((refusal.status, refusal.code), (503, "unavailable"));
    assert!(refusal.retry_after.is_some());
    let bobs = two(&id, "bob");
    assert_eq!(problem(app.serve(&bobs).await), (503, "unavailable"));
    assert_eq!(
        publisher.sent.lock().expect("whole").len(),
        1,
        "none is published"
    );

    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    let carols = keyed(two(&id, "carol"), "k");
    until("orders are taken again", async || {
        app.serve(&carols).await.is_ok()
    })
    .await;
}
