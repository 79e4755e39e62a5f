//! The slot of a program moves to another node, key by key, while its seats are sold.
//!
//! A script would find only a part of the keys on either node. So each call is refused as a whole
//! until the slot has moved, and its caller repeats it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::join_all;
use shared::gate::{
    Accepted, Audit, AuditedChunk, Epoch, Gate, GateError, LiveOrder, Merged, NewOrder, OrderAt,
    Reserved, Settle, SettleTo, Settled,
};
use shared::message::{OrderRequested, SeatIndex};
use testkit::redis_cluster::PrivateCluster;
use testkit::until;

use super::environment::{ENDS, TestEnvironment, best, category, mine, uid};

/// The response timeout of the gate's link.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Work of the runtime and of a busy machine, beyond the bound of a call.
const SLACK: Duration = Duration::from_millis(500);
/// Buyers at the same time.
const BUYERS: usize = 6;
/// Orders before the move. Their keys make it last.
const BEFORE: u32 = 300;
const DUE_MS: u64 = 900_000;

/// What Postgres has: each order with its seats, while it has them.
type Rows = HashMap<OrderAt, Option<Vec<SeatIndex>>>;

struct Sale {
    environment: TestEnvironment,
    gate: Gate,
    rows: Mutex<Rows>,
    /// Orders that were reserved, accepted, confirmed and settled.
    sold: AtomicU32,
}

impl Sale {
    async fn on(cluster: &PrivateCluster) -> Arc<Self> {
        let environment = TestEnvironment::at(&cluster.url(), &[(20, 100)]).await;
        environment.install().await;
        let gate = Gate::connect(&cluster.url(), environment.names.clone(), TIMEOUT);
        Arc::new(Self {
            environment,
            gate: gate.expect("a usable address"),
            rows: Mutex::default(),
            sold: AtomicU32::new(0),
        })
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sells one seat after another, until the gate has to be filled.
    async fn buy(&self) {
        loop {
            let at = self.environment.order();
            let user = format!("u{}", at.order);
            let request = self.environment.request(at, &user, best(1));
            match answer(self.gate.reserve(&request)).await {
                Some(Reserved::Held { message, .. }) => self.sell(at, &message).await,
                Some(Reserved::Rebuild) => return,
                Some(other) => panic!("{other:?}"),
                // Fenced: Postgres never has this order.
                None => drop(self.rows().insert(at, None)),
            }
        }
    }

    /// The steps of an order that is paid, or cancelled.
    async fn sell(&self, at: OrderAt, message: &str) {
        let message: OrderRequested = serde_json::from_str(message).expect("a message");
        self.store(at, &message.seats);
        let accepted = answer(self.gate.accept(at, 0, 0, 0, DUE_MS)).await;
        assert!(
            matches!(accepted, None | Some(Accepted::Yes)),
            "{accepted:?}"
        );
        let order = NewOrder {
            request: &message,
            due_in_ms: DUE_MS,
        };
        let confirmed = answer(async { Ok(self.gate.confirm_all(&[order]).await) }).await;
        let confirmed = confirmed.expect("its errors are in its result");
        let differs = accepted.is_some() && !confirmed.differing.is_empty();
        assert!(!differs, "{confirmed:?}");
        let cancelled = at.order.get() % 2 == 0;
        if cancelled {
            self.rows().insert(at, None);
        }
        let settle = settle(at, &message.seats, cancelled);
        let settled = answer(self.gate.settle(&settle)).await;
        let done = matches!(settled, None | Some(Settled::Done { .. }));
        assert!(done, "{settled:?}");
        if accepted.is_some() && confirmed.error.is_none() && settled.is_some() {
            self.sold.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn store(&self, at: OrderAt, seats: &[SeatIndex]) {
        let mut rows = self.rows();
        let mut sold = rows.values().flatten().flatten();
        let twice = sold.find(|seat| seats.contains(seat));
        assert_eq!(twice, None, "a seat is sold twice");
        rows.insert(at, Some(seats.to_vec()));
    }

    /// Fills the gate again from the rows, and settles each of them, as after every loss.
    async fn fill(&self) {
        let (environment, gate) = (&self.environment, &self.gate);
        let program = environment.at_program();
        let loader = Epoch::new(rand::random());
        assert_eq!(environment.begin(ENDS, &loader, 60_000).await, mine(""));
        let rows = self.rows().clone();
        let live = rows.iter().filter_map(|(at, seats)| {
            Some(LiveOrder {
                order: at.order,
                nonce: at.nonce,
                user: uid(&format!("u{}", at.order)),
                category: category(0),
                seats: seats.clone()?,
                due_in_ms: None,
            })
        });
        let live: Vec<_> = live.collect();
        let merged = gate.install_merge(program, &loader, 60_000, &live).await;
        let whole = Merged::Done {
            displaced: Vec::new(),
            outside: Vec::new(),
        };
        assert_eq!(merged, Ok(whole), "no other order has a seat of these");
        assert_eq!(gate.install_open(program, &loader).await, Ok(true));
        let settles = rows.iter().map(|(at, seats)| match seats {
            Some(seats) => settle(*at, seats, false),
            None => Settle::gone(*at),
        });
        for settled in gate.settle_all(&settles.collect::<Vec<_>>()).await {
            assert!(matches!(settled, Ok(Settled::Done { .. })), "{settled:?}");
        }
    }

    /// The gate has the seats of the rows, and its own counts agree.
    async fn audit(&self) {
        let mut sold = Vec::new();
        for (at, seats) in self.rows().iter() {
            sold.extend(seats.iter().flatten().map(|seat| (*seat, at.order)));
        }
        sold.sort_unstable();
        let mut taken = Vec::new();
        let layout = self.environment.program.categories[0].layout;
        for chunk in 0..layout.chunks() {
            let program = self.environment.at_program();
            let audited = self.gate.audit(program, category(0), chunk, &[]).await;
            let Ok(Audit::Done(mut audited)) = audited else {
                panic!("{audited:?}");
            };
            let found = std::mem::take(&mut audited.taken);
            taken.extend(found.into_iter().map(|taken| (taken.seat, taken.order)));
            assert_eq!(audited, AuditedChunk::default(), "nothing to repair");
        }
        assert_eq!(taken, sold);
        assert_eq!(self.environment.free().await as usize, 2000 - sold.len());
    }
}

/// The answer of a call, which has to come within its bound. `None`: the cluster refused it, or its
/// answer was lost.
async fn answer<T>(call: impl Future<Output = Result<T, GateError>>) -> Option<T> {
    let began = Instant::now();
    let answer = call.await;
    let took = began.elapsed();
    assert!(took < TIMEOUT + SLACK, "an answer after {took:?}");
    match answer {
        Ok(answer) => Some(answer),
        Err(GateError::Unavailable(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

fn settle(at: OrderAt, seats: &[SeatIndex], cancelled: bool) -> Settle {
    Settle {
        at,
        user: Some(uid(&format!("u{}", at.order))),
        key: None,
        seats: Some((category(0), seats.to_vec())),
        to: if cancelled {
            SettleTo::Gone { forget_key: true }
        } else {
            SettleTo::Live { due_in_ms: None }
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moving_slot_loses_no_seat() {
    let cluster = tokio::task::block_in_place(|| PrivateCluster::start(3, 0));
    let sale = Sale::on(&cluster).await;
    let buyers = (0..BUYERS).map(|_| {
        let sale = sale.clone();
        tokio::spawn(async move { sale.buy().await })
    });
    let buyers: Vec<_> = buyers.collect();
    until("orders are sold", async || {
        let failed = buyers.iter().any(tokio::task::JoinHandle::is_finished);
        failed || sale.sold.load(Ordering::Relaxed) >= BEFORE
    })
    .await;

    let head = sale.environment.program_key("head");
    let slot: u16 = cluster.node(0).query(&["CLUSTER", "KEYSLOT", &head]);
    let moved = tokio::task::spawn_blocking(move || {
        let from = cluster.primary_of(&head);
        cluster.move_slot(slot, from, (from + 1) % 3);
        cluster
    });
    let _cluster = moved.await.expect("the slot moves");
    for buyer in join_all(buyers).await {
        buyer.expect("every call is answered in time, and no seat is sold twice");
    }

    sale.fill().await;
    sale.audit().await;
    let at = sale.environment.order();
    sale.environment.held(at, "late", best(1)).await;
}
