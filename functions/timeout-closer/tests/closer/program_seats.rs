//! The sweep and the filling bring added and blocked seats into the gate, and keep them there.

use shared::gate::{Reserved, SeatChanges};
use shared::message::{SeatIndex, UserId};
use shared::refill::settle_seats;
use shared::sale::{MoreRows, SeatAddition, SeatRanges};
use shared::store::{SeatBlock, SeatsAdded, SeatsBlocked};
use testkit::redis::PrivateRedis;

use crate::environment::{TestEnvironment, tick, with};

impl TestEnvironment {
    /// Blocks seats in Postgres, as a storefront that dies afterwards.
    async fn block(&self, seats: &[u32]) {
        let by = UserId::new("house").expect("valid");
        let to = SeatBlock::Block {
            reason: "broken",
            by: &by,
        };
        let seats = seats.iter().map(|n| SeatIndex::new(*n).expect("valid"));
        let seats = SeatRanges::of(seats);
        let blocked = self.store.block_seats(self.program.id, &seats, to).await;
        assert!(
            matches!(blocked, Ok(SeatsBlocked::Done { .. })),
            "{blocked:?}"
        );
    }

    /// Brings the seats of Postgres into the gate.
    async fn settle_seats(&self) -> SeatChanges {
        let settled = settle_seats(&self.gate, &self.store, self.program.id).await;
        settled.expect("the servers run").expect("installed")
    }

    /// Adds rows in Postgres, as a storefront that dies afterwards.
    async fn add_rows(&self, rows: u32) {
        let addition = SeatAddition {
            rows: Some(MoreRows {
                no: self.program.categories[0].no,
                rows,
            }),
            categories: vec![],
        };
        let (id, version) = (self.program.id, self.program.version);
        let added = self.store.add_seats(id, version, &addition).await;
        assert!(matches!(added, Ok(SeatsAdded::Done(_))), "{added:?}");
    }

    async fn answer(&self, seat: u32) -> Reserved {
        self.reserve(&self.request("eve", &[seat])).await
    }

    async fn map(&self) -> String {
        self.redis(&["GET", &self.program_key("seats:0:0")]).await
    }
}

fn is_blocked(answer: &Reserved) -> bool {
    matches!(answer, Reserved::SeatsBlocked(_))
}

#[tokio::test]
async fn the_sweep_blocks_what_its_storefront_did_not() {
    with(1, |env| async move {
        env.block(&[3, 4]).await;
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.settled, swept.mended), (1, 0));
        assert!(is_blocked(&env.answer(3).await));
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.settled, swept.mended, swept.recounted), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn the_sweep_adds_what_its_storefront_did_not() {
    with(1, |env| async move {
        env.held("alice", &[9]).await;
        env.add_rows(3).await;
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.settled, swept.mended), (1, 0));
        assert_eq!(env.free().await, 29);
        assert!(matches!(env.answer(29).await, Reserved::Held { .. }));
    })
    .await;
}

#[tokio::test]
async fn blocked_seats_are_compared_both_ways() {
    with(1, |env| async move {
        env.unpaid("alice", &[8], 0).await;
        env.block(&[3, 4, 8]).await;
        let held: Vec<u32> = env
            .settle_seats()
            .await
            .held
            .iter()
            .map(|n| n.get())
            .collect();
        assert_eq!((held, env.map().await.as_str()), (vec![8], "0002200040"));
        // Two blocks are lost, and two seats are blocked that should be for sale.
        for (place, code) in [("3", "0"), ("8", "1"), ("5", "2"), ("0", "2")] {
            let map = env.program_key("seats:0:0");
            let _: u64 = env.redis(&["SETRANGE", &map, place, code]).await;
        }
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.mended, env.map().await.as_str()), (4, "0002200040"));
        assert_eq!(env.free().await, 7);
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.mended, swept.recounted), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_repair_of_the_map_keeps_blocked_seats() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3], 0).await;
        env.block(&[3, 4]).await;
        env.settle_seats().await;
        // The owner of a blocked seat is lost, and a seat that nothing holds is taken.
        let _: u64 = env.redis(&["HDEL", &env.program_key("owner"), "3"]).await;
        let map = env.program_key("seats:0:0");
        let _: u64 = env.redis(&["SETRANGE", &map, "5", "4"]).await;
        for _ in 0..3 {
            env.tick().await;
        }
        assert_eq!(env.map().await, "0004200000");
        let cancelled = env.store.cancel(order.order, &order.user).await;
        cancelled.expect("Postgres runs");
        env.settle(&order).await;
        assert_eq!(env.map().await, "0002200000");
    })
    .await;
}

#[tokio::test]
async fn a_lost_gate_is_filled_with_added_and_blocked_seats() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3], 0).await;
        env.add_rows(2).await;
        env.block(&[3, 4, 19]).await;
        env.settle_seats().await;
        let keys = ["head", "owner", "seats:0:0"].map(|key| env.program_key(key));
        for key in &keys {
            let _: u64 = env.redis(&["DEL", key]).await;
        }
        // The loader that began has the program as it was before, and has died.
        env.begin("{}").await;
        let _: u64 = env.redis(&["HSET", &keys[0], "lease", "1"]).await;
        let report = env.tick().await;
        assert_eq!(report.fillings.opened, 1);
        assert_eq!(env.map().await, "00042000000000000002");
        assert_eq!(env.free().await, 17);
        let swept = report.sweep.expect("sweeps");
        assert_eq!((swept.mended, swept.recounted), (0, 0));
        assert!(is_blocked(&env.answer(19).await));
        assert!(env.gate.reservation(order.order).await.is_ok());
    })
    .await;
}

#[tokio::test]
async fn the_sweep_reports_replicas_without_which_the_gate_takes_writes() {
    with(1, |env| async move {
        let primary = PrivateRedis::start(&["--repl-diskless-sync-delay", "0"]);
        let port = primary.port().to_string();
        let _replica = PrivateRedis::start(&["--replicaof", "127.0.0.1", &port]);
        primary.wait_for_replicas();
        let unguarded = async || {
            let closer = env.closer(&[("REDIS_GATE_URL", &primary.url())]);
            let report = tick(&closer).await.expect("the servers run");
            report.sweep.expect("sweeps").unguarded
        };
        assert_eq!(unguarded().await, 1);
        primary.run(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
        assert_eq!(unguarded().await, 0);
    })
    .await;
}
