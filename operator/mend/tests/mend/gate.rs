//! Differences of the seat map and of buyers' counts.

use shared::message::{Nonce, OrderNumber};

use crate::environment::with;

#[tokio::test]
async fn a_seat_without_an_owner_is_freed() {
    with(|env| async move {
        env.unpaid("alice", &[3, 4]).await;
        let map = env.program_key("seats:0:0");
        let _: u64 = env.redis("SETRANGE", &map, &["8", "1"]);
        env.mends(&["S4"]).await;
        let bytes: String = env.redis("GET", &map, &[]);
        assert_eq!(bytes, "00011000000000000000");
    })
    .await;
}

#[tokio::test]
async fn wrong_counts_are_counted_again() {
    with(|env| async move {
        env.unpaid("alice", &[3, 4]).await;
        let _: u64 = env.redis("HSET", &env.program_key("head"), &["free:0", "5"]);
        let _: String = env.redis("SET", &env.program_key("longest:0"), &["B"]);
        env.mends(&["S4"]).await;
    })
    .await;
}

#[tokio::test]
async fn an_ended_orders_seats_are_freed() {
    with(|env| async move {
        let ended = env.cancelled("alice", &[3, 4]).await;
        env.plant_owner(3, ended.order, ended.nonce);
        env.mends(&["S4", "S5"]).await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_order_is_fenced_before_its_seat_is_freed() {
    with(|env| async move {
        env.unpaid("alice", &[1]).await;
        let unknown = env.cancelled("bob", &[2]).await;
        let order = OrderNumber::new(unknown.order.get() + 1).expect("valid");
        env.plant_owner(7, order, Nonce::new([7; 16]));
        env.mends(&["S4", "S5"]).await;
        let row = env.store.order(order).await.expect("Postgres runs");
        assert_eq!(row.expect("fenced").status.to_string(), "void");
    })
    .await;
}

#[tokio::test]
async fn a_live_order_gets_its_seats_again() {
    with(|env| async move {
        let live = env.unpaid("alice", &[3, 4]).await;
        let _: u64 = env.redis("HDEL", &env.program_key("owner"), &["3", "4"]);
        let _: u64 = env.redis("SETRANGE", &env.program_key("seats:0:0"), &["3", "00"]);
        env.mends(&["S4", "S6"]).await;
        let owner: String = env.redis("HGET", &env.program_key("owner"), &["4"]);
        assert_eq!(owner, format!("{}:{}", live.order, live.nonce));
    })
    .await;
}

#[tokio::test]
async fn buyers_counts_are_corrected() {
    with(|env| async move {
        let live = env.unpaid("alice", &[3, 4]).await;
        let missing = env.unpaid("bob", &[5]).await;
        let ended = env.cancelled("carol", &[6]).await;
        let [live, missing, ended] = [live, missing, ended].map(|r| r.order.to_string());
        let buyer = |name: &str| env.program_key(&format!("user:{name}"));
        let _: u64 = env.redis("HSET", &buyer("alice"), &[&live, "9"]);
        let _: u64 = env.redis("HDEL", &buyer("bob"), &[&missing]);
        let _: u64 = env.redis("HSET", &buyer("carol"), &[&ended, "1"]);
        env.mends(&["S7"]).await;
        let count: String = env.redis("HGET", &buyer("alice"), &[&live]);
        assert_eq!(count, "2");
    })
    .await;
}

#[tokio::test]
async fn a_whole_program_is_compared_without_a_report() {
    with(|env| async move {
        let ended = env.cancelled("alice", &[3, 4]).await;
        env.plant_owner(3, ended.order, ended.nonce);
        let id = env.program();
        let (code, dry) = env.mend(&["--program", &id]);
        assert_eq!(code, Some(0), "{dry}");
        assert!(dry.contains("would    S5 program"), "{dry}");
        let (code, applied) = env.mend(&["--program", &id, "--apply"]);
        assert_eq!(code, Some(0), "{applied}");
        assert_eq!(env.audit(), [""; 0]);
        let (_, again) = env.mend(&["--program", &id]);
        assert!(again.contains("0 planned, 0 for a person"), "{again}");
    })
    .await;
}
