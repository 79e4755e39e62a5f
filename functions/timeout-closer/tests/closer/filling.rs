//! Gates that are being filled: the tick continues what a storefront began.

use std::sync::atomic::{AtomicUsize, Ordering};

use shared::gate::InstallState;
use shared::sale::Status;
use timeout_closer::fill::{self, Fillings};

use crate::stage::{APPENDED_MS, Stage, with};

/// One seat each, all live: as many as the hall has.
async fn sell_out(stage: &Stage) {
    let sql = "INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents, amount_cents, status, pay_by, dirty)
        SELECT ((1795371222316 - 1704067200000 + seat / 65536)::bigint << 22) | (p.shard::bigint << 16) | seat % 65536,
               decode(md5(seat::text), 'hex'), 'buyer-' || seat, p.id, 0, ARRAY[seat], 100, 100, 'unpaid', now() + interval '1 hour', false
        FROM programs p JOIN categories c ON c.program = p.id, generate_series(0, c.rows * c.row_len - 1) AS seat;
        INSERT INTO order_seats (program, seat, order_number) SELECT program, seats[1], number FROM orders";
    stage.run(sql).await;
}

/// The loader that has the filling is dead, and its lease has run out.
async fn loader_dies(stage: &Stage) {
    let _: u64 = stage
        .redis(&["HSET", &stage.program_key("head"), "lease", "1"])
        .await;
}

/// The gate has lost the program, and a storefront that died has begun to fill it.
async fn lost_and_begun(stage: &Stage, ends: &str) {
    let _: u64 = stage
        .redis(&[
            "DEL",
            &stage.program_key("head"),
            &stage.program_key("owner"),
        ])
        .await;
    stage.begin(ends).await;
    loader_dies(stage).await;
}

#[tokio::test]
async fn a_tick_alone_opens_a_gate_begun_elsewhere() {
    with(300, |stage| async move {
        sell_out(&stage).await;
        lost_and_begun(&stage, r#"{"0":[1,0]}"#).await;
        // An order accepted before the loss is not stored yet.
        let report = stage.tick().await;
        assert_eq!(
            report.fillings,
            Fillings {
                found: 1,
                opened: 0
            }
        );
        assert!(matches!(
            stage.gate.install_state(stage.at_program()).await,
            Ok(InstallState::Loading { .. })
        ));
        stage.create(None, 0, APPENDED_MS).await;
        let report = stage.tick().await;
        assert_eq!(
            report.fillings,
            Fillings {
                found: 1,
                opened: 1
            }
        );
        assert_eq!(
            stage.gate.install_state(stage.at_program()).await,
            Ok(InstallState::Open)
        );
        assert_eq!(stage.free().await, 0);
        assert_eq!(stage.tick().await.fillings, Fillings::default());
    })
    .await;
}

#[tokio::test]
async fn a_filling_cut_short_each_time_still_ends() {
    with(1_000, |stage| async move {
        sell_out(&stage).await;
        lost_and_begun(&stage, "{}").await;
        let topic = stage.names.topic("order-create");
        let mut runs = 0;
        while stage.gate.install_state(stage.at_program()).await != Ok(InstallState::Open) {
            runs += 1;
            assert!(runs < 20, "the filling does not advance");
            // Time for a single page; then the process dies, and does not give its lease back.
            let looks = AtomicUsize::new(0);
            let late = || looks.fetch_add(1, Ordering::Relaxed) > 0;
            let mut fillings = Fillings::default();
            fill::run(&stage.gate, &stage.store, &topic, &late, &mut fillings)
                .await
                .expect("the servers run");
            assert_eq!(fillings.found, 1);
            loader_dies(&stage).await;
        }
        assert!(runs > 3, "{runs} runs: not cut short at all");
        assert_eq!(stage.free().await, 0);
        let owners: u64 = stage.redis(&["HLEN", &stage.program_key("owner")]).await;
        assert_eq!(owners, 10_000);
    })
    .await;
}

#[tokio::test]
async fn kept_reservations_of_ended_orders_are_released_first() {
    with(2, |stage| async move {
        // As after a failover without the last second: the gate still holds what Postgres has ended.
        let void = stage.held("alice", &[0, 1]).await;
        let closed = stage.accepted("bob", &[2], 0).await;
        let foreign = stage.accepted("carol", &[3], 1).await;
        let unknown = stage.held("dora", &[4]).await;
        let fence = shared::store::Fence {
            number: void.order,
            nonce: void.nonce,
            user: None,
            program: None,
            category: None,
            seats: vec![],
            key: None,
            reason: "publish_unknown",
        };
        stage.store.fence(&fence).await.expect("Postgres runs");
        stage.create(Some(&closed), 0, APPENDED_MS).await;
        stage
            .store
            .cancel(closed.order, &closed.user)
            .await
            .expect("Postgres runs");
        let other = shared::message::OrderRequested {
            nonce: shared::message::Nonce::new([9; 16]),
            ..foreign.clone()
        };
        stage.create(Some(&other), 1, APPENDED_MS).await;
        stage
            .store
            .cancel(other.order, &other.user)
            .await
            .expect("Postgres runs");

        let _: u64 = stage.redis(&["DEL", &stage.program_key("head")]).await;
        stage.begin("{}").await;
        loader_dies(&stage).await;
        assert_eq!(stage.free().await, 15, "all are kept at first");
        let mut fillings = Fillings::default();
        let topic = stage.names.topic("order-create");
        fill::run(&stage.gate, &stage.store, &topic, &|| false, &mut fillings)
            .await
            .expect("the servers run");
        assert_eq!(fillings.opened, 1);
        assert_eq!(
            stage.free().await,
            19,
            "only what may still become a row is held"
        );
        for order in [&void, &closed, &foreign] {
            assert_eq!(
                stage.gate.reservation(order.order).await,
                Ok(None),
                "{}",
                order.user
            );
        }
        assert!(
            stage
                .gate
                .reservation(unknown.order)
                .await
                .expect("Redis runs")
                .is_some()
        );
        assert_eq!(stage.status(&void).await, Some(Status::Void));
    })
    .await;
}
