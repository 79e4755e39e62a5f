//! The auditors of the sweep: seat map, owners, counters, buyers' tickets.

use shared::gate::Reserved;
use shared::sale::Status;

use crate::environment::{APPENDED_MS, TestEnvironment, hall, tick, with};

impl TestEnvironment {
    /// Corrupts a hash of the program.
    async fn plant(&self, key: &str, field: &str, value: &str) {
        let _: u64 = self
            .redis(&["HSET", &self.program_key(key), field, value])
            .await;
    }

    /// The longest runs of category 0, a character for each chunk: 'A' is none.
    async fn plant_longest(&self, letters: &str) {
        let key = self.program_key("longest:0");
        let _: String = self.redis(&["SET", &key, letters]).await;
    }

    /// A field of a hash of the program.
    async fn field(&self, key: &str, field: &str) -> Option<String> {
        self.redis(&["HGET", &self.program_key(key), field]).await
    }

    /// Runs sweeps, each in a new process, until the condition holds.
    async fn sweep_until<F: Future<Output = bool>>(&self, holds: impl Fn() -> F) {
        for _ in 0..500 {
            self.tick().await;
            if holds().await {
                return;
            }
        }
        panic!("500 sweeps changed nothing");
    }
}

#[tokio::test]
async fn a_wrong_longest_run_is_repaired() {
    with(2, |env| async move {
        // No four adjacent seats are free.
        env.held("alice", &[3, 7, 13, 17]).await;
        env.held("bob", &[0, 10]).await;
        env.plant_longest("J").await;
        assert_eq!(env.reserve_best(4).await, Reserved::Rebuild);
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.recounted, swept.mended), (1, 0));
        assert_eq!(
            env.reserve_best(4).await,
            Reserved::NotAdjacent { free: 14 }
        );
        assert_eq!(env.tick().await.sweep.map(|swept| swept.recounted), Some(0));
        assert!(matches!(env.reserve_best(3).await, Reserved::Held { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_wrong_free_count_is_repaired() {
    with(2, |env| async move {
        env.held("alice", &[3, 4]).await;
        env.plant("head", "free:0", "0").await;
        assert_eq!(env.reserve_best(1).await, Reserved::SoldOut);
        assert_eq!(env.tick().await.sweep.map(|swept| swept.recounted), Some(1));
        assert_eq!(env.free().await, 18);
        assert!(matches!(env.reserve_best(1).await, Reserved::Held { .. }));
    })
    .await;
}

#[tokio::test]
async fn a_seat_with_an_owner_is_not_free() {
    with(1, |env| async move {
        env.unpaid("alice", &[3, 4], 0).await;
        let _: u64 = env
            .redis(&["SETRANGE", &env.program_key("seats:0:0"), "3", "0"])
            .await;
        assert_eq!(env.tick().await.sweep.map(|swept| swept.mended), Some(1));
        assert!(matches!(
            env.reserve(&env.request("bob", &[3])).await,
            Reserved::SeatsTaken(_)
        ));
        assert_eq!(env.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_taken_seat_of_no_order_is_freed() {
    with(1, |env| async move {
        // A seat of a row and a seat of a reservation have lost their owners as well. They are not
        // free.
        let stored = env.unpaid("alice", &[3], 0).await;
        env.held("bob", &[5]).await;
        let _: u64 = env
            .redis(&["HDEL", &env.program_key("owner"), "3", "5"])
            .await;
        let _: u64 = env
            .redis(&["SETRANGE", &env.program_key("seats:0:0"), "8", "11"])
            .await;
        env.tick().await;
        let free = |seat: u32| env.request("carol", &[seat]);
        for (seat, is_free) in [(3, false), (5, false), (8, true), (9, true)] {
            let answer = env.reserve(&free(seat)).await;
            assert_eq!(
                matches!(answer, Reserved::Held { .. }),
                is_free,
                "{seat}: {answer:?}"
            );
        }
        assert_eq!(
            (env.free().await, env.status(&stored).await),
            (6, Some(Status::Unpaid))
        );
        assert_eq!(
            env.field("owner", "3").await,
            Some(format!("{}:{}", stored.order, stored.nonce))
        );
    })
    .await;
}

#[tokio::test]
async fn a_seat_beyond_its_orders_row_is_freed() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.plant("owner", "6", &format!("{}:{}", order.order, order.nonce))
            .await;
        env.tick().await;
        assert!(matches!(
            env.reserve(&env.request("bob", &[6])).await,
            Reserved::Held { .. }
        ));
        assert!(matches!(
            env.reserve(&env.request("bob", &[4])).await,
            Reserved::SeatsTaken(_)
        ));
        assert_eq!(env.free().await, 7);
    })
    .await;
}

#[tokio::test]
async fn a_missing_map_chunk_is_filled_again() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let _: u64 = env.redis(&["DEL", &env.program_key("seats:0:0")]).await;
        env.plant_longest("A").await;
        assert_eq!(
            env.reserve_best(1).await,
            Reserved::NotAdjacent { free: 8 },
            "the program looks sold out"
        );
        env.tick().await;
        assert_eq!(env.reserve_best(1).await, Reserved::Rebuild);
        env.install().await;
        env.tick().await;
        assert_eq!(
            (env.free().await, env.status(&order).await),
            (8, Some(Status::Unpaid))
        );
    })
    .await;
}

#[tokio::test]
async fn a_restored_redis_copy_locks_no_buyer_out() {
    with(1, |env| async move {
        let ended = env.unpaid("alice", &[3, 4], 0).await;
        env.store
            .cancel(ended.order, &ended.user)
            .await
            .expect("Postgres runs");
        env.settle(&ended).await;
        let live = env.unpaid("alice", &[5, 6, 7], 1).await;
        let in_flight = env.held("alice", &[8]).await;
        // In the restored copy the cancelled order counts, the live one does not, and the third has
        // another count.
        env.plant("user:alice", &ended.order.to_string(), "2").await;
        env.plant("user:alice", "no order", "many").await;
        env.plant("user:alice", &in_flight.order.to_string(), "9")
            .await;
        let _: u64 = env
            .redis(&[
                "HDEL",
                &env.program_key("user:alice"),
                &live.order.to_string(),
            ])
            .await;
        let count = async |order: &str| env.field("user:alice", order).await;
        env.sweep_until(async || count(&ended.order.to_string()).await.is_none())
            .await;
        env.sweep_until(async || count("no order").await.is_none())
            .await;
        assert_eq!(count(&live.order.to_string()).await.as_deref(), Some("3"));
        assert_eq!(
            count(&in_flight.order.to_string()).await.as_deref(),
            Some("1")
        );
    })
    .await;
}

#[tokio::test]
async fn accepted_orders_without_a_row_are_counted() {
    with(1, |env| async move {
        env.held("alice", &[0]).await;
        env.unpaid("bob", &[1], 0).await;
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!((swept.accepted, swept.oldest_accepted_ms), (0, 0));
        let waits = env.accepted("carol", &[2], 1).await;
        env.accepted("carol", &[3], 2).await;
        // The scan of all keys of this Redis may take several sweeps.
        let mut found = env.tick().await.sweep.expect("sweeps");
        for _ in 0..500 {
            if found.accepted > 0 {
                break;
            }
            found = env.tick().await.sweep.expect("sweeps");
        }
        assert_eq!(found.accepted, 2);
        let age_ms = env.gate.now_ms().await.expect("Redis runs") - waits.order.made_at_ms();
        assert!(
            (1..=age_ms).contains(&found.oldest_accepted_ms),
            "{found:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn every_program_is_swept_by_any_process() {
    with(1, |env| async move {
        for _ in 0..12 {
            let program = env
                .store
                .create_program(hall(1), None)
                .await
                .expect("created");
            env.install_program(&program).await;
            let head = env
                .names
                .shard_key(program.shard, format!("program:{}:head", program.id));
            let _: u64 = env.redis(&["HSET", &head, "free:0", "3"]).await;
        }
        let mut ticks = 0;
        let mut mended = 0;
        while mended < 12 {
            // A new process each time: Lambda guarantees no process more than one tick.
            let swept = tick(&env.closer(&[("SWEEP_LIMIT", "2")]))
                .await
                .expect("the servers run")
                .sweep
                .expect("sweeps");
            assert!(swept.recounted <= 2, "a sweep is bounded");
            (ticks, mended) = (ticks + 1, mended + swept.recounted);
            assert!(ticks <= 8, "{mended} of 12 programs were mended");
        }
    })
    .await;
}

#[tokio::test]
async fn orders_in_flight_are_no_difference() {
    with(2, |env| async move {
        env.held("alice", &[0, 1]).await;
        env.accepted("bob", &[2], 7).await;
        let order = env.accepted("carol", &[12], 0).await;
        env.create(Some(&order), 0, APPENDED_MS).await;
        let swept = env.tick().await.sweep.expect("sweeps");
        assert_eq!(
            (swept.mended, swept.recounted, swept.tickets, swept.rearmed),
            (0, 0, 0, 0)
        );
        assert_eq!(env.free().await, 16);
    })
    .await;
}
