//! The gate refiller: a tick continues what a storefront began.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::gate::InstallState;
use shared::reconcile::settle_of;
use shared::sale::Status;
use testkit::servers::redis_url;
use timeout_closer::RefillCounts;
use timeout_closer::jobs::refill_gates;

use crate::environment::{APPENDED_MS, TestEnvironment, with};

/// Runs the refiller alone. `is_late` ends it.
async fn refill(env: &TestEnvironment, is_late: &(dyn Fn() -> bool + Sync)) -> RefillCounts {
    let mut counts = RefillCounts::default();
    let filled = refill_gates(&env.closer(&[]), is_late, &mut counts).await;
    filled.expect("the servers run");
    counts
}

/// Sells every seat in a live order of its own.
async fn sell_out(env: &TestEnvironment) {
    let sql = "INSERT INTO orders (number, nonce, user_id, program, category, seats,
        unit_price_cents, amount_cents, status, pay_by, dirty)
        SELECT ((1795371222316 - 1704067200000 + seat / 65536)::bigint << 22) | (p.shard::bigint
        << 16) | seat % 65536,
               decode(md5(seat::text), 'hex'), 'buyer-' || seat, p.id, 0, ARRAY[seat], 100, 100,
               'unpaid', now() + interval '1 hour', false
        FROM programs p JOIN categories c ON c.program = p.id, generate_series(0, c.rows *
        c.row_len - 1) AS seat;
        INSERT INTO order_seats (program, seat, order_number) SELECT program, seats[1], number
        FROM orders";
    env.run(sql).await;
}

/// The loader has died, and its lease has expired.
async fn loader_dies(env: &TestEnvironment) {
    let _: u64 = env
        .redis(&["HSET", &env.program_key("head"), "lease", "1"])
        .await;
}

/// The gate has lost the program, and a storefront died after it began to fill the gate.
async fn lost_and_begun(env: &TestEnvironment, ends: &str) {
    let _: u64 = env
        .redis(&["DEL", &env.program_key("head"), &env.program_key("owner")])
        .await;
    env.begin(ends).await;
    loader_dies(env).await;
}

#[tokio::test]
async fn a_tick_opens_a_gate_begun_elsewhere() {
    with(300, |env| async move {
        sell_out(&env).await;
        lost_and_begun(&env, r#"{"0":[1,0]}"#).await;
        // An order accepted before the loss is not stored yet.
        let report = env.tick().await;
        assert_eq!(
            report.fillings,
            RefillCounts {
                found: 1,
                opened: 0
            }
        );
        assert!(matches!(
            env.gate.install_state(env.at_program()).await,
            Ok(InstallState::Loading { .. })
        ));
        env.create(None, 0, APPENDED_MS).await;
        let report = env.tick().await;
        assert_eq!(
            report.fillings,
            RefillCounts {
                found: 1,
                opened: 1
            }
        );
        assert_eq!(
            env.gate.install_state(env.at_program()).await,
            Ok(InstallState::Open)
        );
        assert_eq!(env.free().await, 0);
        assert_eq!(env.tick().await.fillings, RefillCounts::default());
    })
    .await;
}

#[tokio::test]
async fn an_interrupted_filling_still_ends() {
    with(1_000, |env| async move {
        sell_out(&env).await;
        lost_and_begun(&env, "{}").await;
        let mut runs = 0;
        while env.gate.install_state(env.at_program()).await != Ok(InstallState::Open) {
            runs += 1;
            assert!(runs < 20, "the filling does not advance");
            // Time for one page. Then the process dies without giving its lease back.
            let calls = AtomicUsize::new(0);
            let counts = refill(&env, &|| calls.fetch_add(1, Ordering::Relaxed) > 0).await;
            assert_eq!(counts.found, 1);
            loader_dies(&env).await;
        }
        assert!(runs > 3, "{runs} runs: never interrupted");
        assert_eq!(env.free().await, 0);
        let owners: u64 = env.redis(&["HLEN", &env.program_key("owner")]).await;
        assert_eq!(owners, 10_000);
    })
    .await;
}

#[tokio::test]
async fn surviving_reservations_of_ended_orders_are_released() {
    with(2, |env| async move {
        // As after a failover that lost the last second: the gate holds orders that have ended in
        // Postgres.
        let void = env.held("alice", &[0, 1]).await;
        let closed = env.accepted("bob", &[2], 0).await;
        let foreign = env.accepted("carol", &[3], 1).await;
        let unknown = env.held("dora", &[4]).await;
        let fence = shared::store::Fence {
            program: None,
            ..shared::store::Fence::of_number(
                void.order,
                void.nonce,
                void.program,
                "publish_unknown",
            )
        };
        env.store.fence(&fence).await.expect("Postgres runs");
        env.create(Some(&closed), 0, APPENDED_MS).await;
        env.store
            .cancel(closed.order, &closed.user)
            .await
            .expect("Postgres runs");
        let other = shared::message::OrderRequested {
            nonce: shared::message::Nonce::new([9; 16]),
            ..foreign.clone()
        };
        env.create(Some(&other), 1, APPENDED_MS).await;
        env.store
            .cancel(other.order, &other.user)
            .await
            .expect("Postgres runs");

        let _: u64 = env.redis(&["DEL", &env.program_key("head")]).await;
        env.begin("{}").await;
        loader_dies(&env).await;
        assert_eq!(env.free().await, 15, "all reservations survive at first");
        assert_eq!(refill(&env, &|| false).await.opened, 1);
        assert_eq!(
            env.free().await,
            19,
            "only orders that may still be stored hold seats"
        );
        for order in [&void, &closed, &foreign] {
            assert_eq!(
                env.gate.reservation(order.order).await,
                Ok(None),
                "{}",
                order.user
            );
        }
        assert!(
            env.gate
                .reservation(unknown.order)
                .await
                .expect("Redis runs")
                .is_some()
        );
        assert_eq!(env.status(&void).await, Some(Status::Void));
    })
    .await;
}

/// A process that stood still settles by a row that has ended since, and is killed before it reads
/// the newer version.
#[tokio::test]
async fn an_old_row_settled_during_a_filling_keeps_no_seat() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let unpaid = settle_of(&env.row(&order).await.expect("stored")).expect("of the program");
        env.store
            .cancel(order.order, &order.user)
            .await
            .expect("Postgres runs");
        env.tick().await;
        testkit::redis::remove_keys(&redis_url(), env.names.prefix()).expect("Redis runs");
        env.begin("{}").await;
        loader_dies(&env).await;
        env.gate.settle(&unpaid).await.expect("Redis runs");
        assert_eq!(env.free().await, 8);
        assert_eq!(refill(&env, &|| false).await.opened, 1);
        assert_eq!(env.free().await, 10, "its row has ended");
    })
    .await;
}
