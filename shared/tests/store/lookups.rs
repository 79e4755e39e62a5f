//! Reads of programs, orders and backlogs.

use shared::message::{BodyHash, ProgramId, Shard, UserId};
use shared::sale::{NewCategory, NewProgram, Program};
use shared::store::{BacklogCounts, KeyedOrder};

use crate::environment::{keyed, order, with};

#[tokio::test]
async fn a_program_reads_back_as_it_was_stored() {
    with(|env| async move {
        let program = env.program().await;
        assert_eq!(program.shard, Program::usual_shard(program.id));
        assert_eq!(
            env.store.program(program.id).await.expect("postgres"),
            Some(program)
        );
        let category = NewCategory {
            name: "all".into(),
            rows: 1,
            row_len: 1,
            price: shared::message::Cents::new(0).expect("free"),
        };
        let new = NewProgram::new("Hot".into(), vec![category], 1_000, 1).expect("valid");
        let shard = Shard::new(63).expect("shard");
        let hot = env
            .store
            .create_program(new, Some(shard))
            .await
            .expect("postgres");
        assert_eq!(
            env.store
                .program(hot.id)
                .await
                .expect("postgres")
                .map(|p| p.shard),
            Some(shard)
        );
        assert_eq!(
            env.store
                .program(ProgramId::new(999_999).expect("id"))
                .await
                .expect("postgres"),
            None
        );
    })
    .await;
}

#[tokio::test]
async fn a_buyer_pages_through_own_orders() {
    with(|env| async move {
        let mut mine: Vec<_> = (0..5).map(|seat| order("alice", 7, &[seat])).collect();
        env.create(&mine).await;
        env.create(&[order("bob", 7, &[100])]).await;
        mine.sort_by_key(|o| std::cmp::Reverse(o.order));
        let alice = UserId::new("alice").expect("user");
        let first = env
            .store
            .orders_of(&alice, None, 3)
            .await
            .expect("postgres");
        let rest = env
            .store
            .orders_of(&alice, Some(first[2].number), 3)
            .await
            .expect("postgres");
        let seen: Vec<_> = first.iter().chain(&rest).map(|row| row.number).collect();
        assert_eq!(seen, mine.iter().map(|o| o.order).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn live_orders_are_those_that_hold_seats() {
    with(|env| async move {
        // Seats ascend, numbers do not.
        let orders: Vec<_> = (0..5)
            .map(|seat| order("alice", 7, &[2 * seat, 2 * seat + 1]))
            .collect();
        env.create(&orders).await;
        env.create(&[order("alice", 8, &[1])]).await;
        env.store
            .cancel(orders[1].order, &orders[1].user)
            .await
            .expect("postgres");
        let program = ProgramId::new(7).expect("id");
        // Pages consist of seats, so a page may begin or end within an order, which is returned at
        // its first seat.
        for page_of in [1, 3, 10] {
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page = env
                    .store
                    .live_orders(program, after, page_of)
                    .await
                    .expect("postgres");
                seen.extend(page.orders.iter().map(|row| row.number));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert_eq!(
                seen,
                [0, 2, 3, 4].map(|at| orders[at].order),
                "{page_of} seats at a time"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn orders_keep_what_their_keys_stood_for() {
    with(|env| async move {
        let hash = |n| Some(BodyHash::new([n; 32]));
        let hashed = |seat: u32, key: &str| {
            let mut order = keyed(order("alice", 7, &[seat]), key);
            order.idempotency_hash = hash(seat as u8);
            order
        };
        let live = hashed(1, "a");
        let ended = hashed(2, "b");
        let closed = keyed(order("alice", 7, &[3]), "c");
        let plain = order("alice", 7, &[4]);
        let elsewhere = keyed(order("alice", 8, &[5]), "a");
        env.create(&[
            live.clone(),
            ended.clone(),
            closed.clone(),
            plain.clone(),
            elsewhere.clone(),
        ])
        .await;
        for order in [&ended, &plain, &elsewhere] {
            env.store
                .cancel(order.order, &order.user)
                .await
                .expect("postgres");
        }
        env.make_overdue(closed.order).await;
        env.store
            .close_due(&[(closed.order, closed.nonce)])
            .await
            .expect("postgres");
        // A duplicate frees its key.
        env.create(&[keyed(order("alice", 7, &[6]), "a")]).await;

        let program = ProgramId::new(7).expect("id");
        let page = env
            .store
            .live_orders(program, None, 10)
            .await
            .expect("postgres");
        let named = |row: &KeyedOrder| (row.number, row.key.as_str().to_owned(), row.body_hash);
        assert_eq!(
            page.named.iter().map(named).collect::<Vec<_>>(),
            [(live.order, "a".to_owned(), hash(1))]
        );
        let mut expected = vec![
            (ended.order, "b".to_owned(), hash(2)),
            (closed.order, "c".to_owned(), None),
        ];
        expected.sort_by_key(|(number, ..)| *number);
        let all = env
            .store
            .keyed_ended(program, None, 10)
            .await
            .expect("postgres");
        assert_eq!(all.iter().map(named).collect::<Vec<_>>(), expected);
        let rest = env
            .store
            .keyed_ended(program, Some(expected[0].0), 10)
            .await
            .expect("postgres");
        assert_eq!(rest.iter().map(named).collect::<Vec<_>>(), expected[1..]);
    })
    .await;
}

#[tokio::test]
async fn counts_scan_no_finished_rows() {
    with(|env| async move {
        env.run(
            "INSERT INTO payments (reference, order_number, amount_cents, status)
             SELECT 'p' || n, n, 100, CASE WHEN n <= 3 THEN 'to_refund' ELSE 'applied' END FROM
             generate_series(1, 20000) n;
             ANALYZE payments",
        )
        .await;
        assert_eq!(env.store.counts().await.expect("postgres").to_refund, 3);
        let counts = include_str!("../../src/store/sql/counts.sql");
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN {counts}"));
        let plan: Vec<String> = sqlx::query_scalar(explain)
            .fetch_all(&env.raw)
            .await
            .expect("a plan");
        let scans: Vec<_> = plan
            .iter()
            .filter(|line| line.contains("Seq Scan on payments"))
            .collect();
        assert!(scans.is_empty(), "{plan:#?}");
    })
    .await;
}

#[tokio::test]
async fn counts_report_every_backlog() {
    with(|env| async move {
        assert_eq!(
            env.store.counts().await.expect("postgres"),
            BacklogCounts::default()
        );
        let orders = [order("alice", 7, &[1]), order("bob", 7, &[2])];
        env.create(&orders).await;
        env.make_overdue(orders[0].order).await;
        let counts = env.store.counts().await.expect("postgres");
        assert_eq!((counts.overdue, counts.dirty), (1, 2));
    })
    .await;
}
