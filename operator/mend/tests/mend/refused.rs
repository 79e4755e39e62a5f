//! What a program must not decide.

use crate::environment::{TestEnvironment, with};

/// The report is refused with this reason, and nothing changes.
async fn is_refused(env: &TestEnvironment, number: &str, why: &str) {
    let failed = env.audit();
    assert!(failed.iter().any(|found| found == number), "{failed:?}");
    let before = env.everything().await;
    let report = env.report();
    let (code, text) = env.mend(&[report.to_str().expect("UTF-8"), "--apply"]);
    assert_eq!(code, Some(1), "{text}");
    let refused = |line: &str| line.starts_with("person") && line.contains(why);
    assert!(text.lines().any(refused), "{why:?}:\n{text}");
    assert_eq!(env.everything().await, before);
}

#[tokio::test]
async fn a_seat_of_two_live_orders_is_for_a_person() {
    with(|env| async move {
        let first = env.unpaid("alice", &[3]).await;
        let second = env.unpaid("bob", &[4]).await;
        let number = second.order;
        env.run(&format!(
            "UPDATE orders SET seats = '{{3}}' WHERE number = {number}"
        ))
        .await;
        is_refused(&env, "S1", "Decide which order keeps the seat").await;
        // Named by its number, the order is refused as well: PostgreSQL itself is contradictory.
        let before = env.everything().await;
        let (code, text) = env.mend(&["--order", &number.to_string(), "--apply"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("two live orders"), "{text}");
        assert_eq!(env.everything().await, before);
        let (code, text) = env.mend(&["--order", &first.order.to_string(), "--apply"]);
        assert_eq!(code, Some(0), "{text}");
    })
    .await;
}

#[tokio::test]
async fn money_is_for_a_person() {
    with(|env| async move {
        let order = env.unpaid("alice", &[3]).await.order;
        env.run(&format!(
            "UPDATE orders SET status = 'paid' WHERE number = {order}"
        ))
        .await;
        is_refused(&env, "M1", "Compare the order with the provider's account").await;
    })
    .await;
}

#[tokio::test]
async fn a_stored_order_that_postgres_lost_is_for_a_person() {
    with(|env| async move {
        let order = env.unpaid("alice", &[3]).await.order;
        env.run(&format!(
            "DELETE FROM order_seats WHERE order_number = {order};
             DELETE FROM orders WHERE number = {order}"
        ))
        .await;
        is_refused(&env, "S5", "restored from an older backup").await;
        let (code, text) = env.mend(&["--program", &env.program(), "--apply"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains("restored from an older backup"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_report_of_another_environment_is_refused() {
    with(|env| async move {
        env.audit();
        let report = std::fs::read_to_string(env.report()).expect("a report");
        let other = report.replace(r#""env":""#, r#""env":"x"#);
        std::fs::write(env.report(), other).expect("written");
        let report = env.report();
        let (code, text) = env.mend(&[report.to_str().expect("UTF-8"), "--apply"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("the report is of environment"), "{text}");
        let (code, text) = env.mend(&[]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("nothing to compare"), "{text}");
    })
    .await;
}
