//! Orders of a test: reserved, accepted, stored, overdue.

use std::sync::atomic::Ordering;
use std::time::SystemTime;

use delay_queue::Due;
use shared::gate::{Accepted, HoldRequest, OrderAt, Reserved};
use shared::message::{Barrier, Cents, Nonce, OrderNumber, OrderRequested, SeatIndex, UserId};
use shared::reconcile::reconcile;
use shared::sale::{SeatSelection, Status};
use shared::store::{Arrival, OrderRow};

use crate::environment::{APPENDED_MS, PRICE, TestEnvironment};

impl TestEnvironment {
    /// A request that is not reserved.
    pub(crate) fn request(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let ms = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("after 1970")
            .as_millis() as u64;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        OrderRequested {
            v: 1,
            order: OrderNumber::compose(ms, self.program.shard, n).expect("valid"),
            nonce: Nonce::new(rand::random()),
            user: UserId::new(user).expect("valid"),
            program: self.program.id,
            category: self.program.categories[0].no,
            seats: seats
                .iter()
                .map(|seat| SeatIndex::new(*seat).expect("valid"))
                .collect(),
            unit_price_cents: Cents::new(PRICE).expect("valid"),
            amount_cents: Cents::new(PRICE * seats.len() as i64).expect("valid"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: ms as i64 + self.program.pay_window_ms,
            trace: None,
        }
    }

    pub(crate) fn at(&self, request: &OrderRequested) -> OrderAt {
        OrderAt {
            order: request.order,
            nonce: request.nonce,
            program: self.at_program(),
        }
    }

    /// Reserves the seats of a request.
    pub(crate) async fn reserve(&self, request: &OrderRequested) -> Reserved {
        self.reserve_selection(
            request,
            SeatSelection::seats(request.category, request.seats.clone()).expect("valid"),
        )
        .await
    }

    /// Reserves the best seats.
    pub(crate) async fn reserve_best(&self, count: u32) -> Reserved {
        let request = self.request("best", &[0]);
        let want = SeatSelection::best(request.category, count).expect("valid");
        self.reserve_selection(&request, want).await
    }

    async fn reserve_selection(&self, request: &OrderRequested, want: SeatSelection) -> Reserved {
        let reserve = HoldRequest {
            program: self.at_program(),
            order: request.order,
            nonce: request.nonce,
            user: request.user.clone(),
            want,
            unit_price: request.unit_price_cents,
            user_limit: 1_000,
            idempotency: None,
            publish_window_ms: 900_000,
            idem_ttl_ms: 900_000,
            pay_by_ms: request.pay_by_ms,
            trace: request.trace.clone(),
        };
        self.gate.reserve(&reserve).await.expect("Redis runs")
    }

    /// A reserved order whose storefront died while it published the message.
    pub(crate) async fn held(&self, user: &str, seats: &[u32]) -> OrderRequested {
        let request = self.request(user, seats);
        let answer = self.reserve(&request).await;
        assert!(matches!(answer, Reserved::Held { .. }), "{answer:?}");
        request
    }

    /// An order whose message stands at this offset of partition 0.
    pub(crate) async fn accepted(&self, user: &str, seats: &[u32], offset: i64) -> OrderRequested {
        let request = self.held(user, seats).await;
        let accepted = self
            .gate
            .accept(self.at(&request), 0, offset, APPENDED_MS, 900_000)
            .await;
        assert_eq!(accepted, Ok(Accepted::Yes));
        request
    }

    /// Stores a record as order-create does, but does not settle the gate. `None` is a record that
    /// cannot be read.
    pub(crate) async fn create(
        &self,
        request: Option<&OrderRequested>,
        offset: i64,
        appended_ms: i64,
    ) {
        let topic = self.names.topic("order-create");
        let message = request
            .cloned()
            .ok_or_else(|| lambda_batch::Reason::new("not JSON"));
        let arrival = Arrival {
            topic: &topic,
            partition: 0,
            offset,
            appended_ms: Some(appended_ms),
            key: None,
            value: Some(b"a record"),
            message,
        };
        let stored = self
            .store
            .store_orders(std::slice::from_ref(&arrival), 60_000)
            .await;
        assert_eq!(stored.unfinished, None);
    }

    /// Appends the requested barriers as a storefront does, and passes one of partition 0 as
    /// order-create does. Returns whether one was requested.
    pub(crate) async fn pass_barrier(&self, offset: i64, appended_ms: i64) -> bool {
        let topic = self.names.topic("order-create");
        let token = Nonce::new(rand::random());
        let claimed = self
            .store
            .claim_barriers(&topic, token)
            .await
            .expect("Postgres runs");
        let value = Barrier::new(token).encode();
        let arrival = Arrival {
            topic: &topic,
            partition: 0,
            offset,
            appended_ms: Some(appended_ms),
            key: None,
            value: Some(value.as_bytes()),
            message: Err(lambda_batch::Reason::new("no order")),
        };
        let stored = self
            .store
            .store_orders(std::slice::from_ref(&arrival), 60_000)
            .await;
        assert_eq!((stored.unfinished, stored.parked), (None, vec![]));
        !claimed.is_empty()
    }

    /// A stored unpaid order by which the gate is settled.
    pub(crate) async fn unpaid(&self, user: &str, seats: &[u32], offset: i64) -> OrderRequested {
        let request = self.accepted(user, seats, offset).await;
        self.create(Some(&request), offset, APPENDED_MS).await;
        self.settle(&request).await;
        request
    }

    /// Settles the gate by the order's row.
    pub(crate) async fn settle(&self, request: &OrderRequested) {
        let row = self.row(request).await.expect("stored");
        let report = reconcile(&self.gate, &self.store, &[row])
            .await
            .expect("Postgres runs");
        assert_eq!((report.settled, report.failed), (1, vec![]));
    }

    /// Ends the order's time to pay and makes its timeout entry due.
    pub(crate) async fn overdue(&self, request: &OrderRequested) {
        let update = "UPDATE orders SET pay_by = now() - interval '1 second' WHERE number = $1";
        sqlx::query(update)
            .bind(request.order.get())
            .execute(&self.raw)
            .await
            .expect("statement");
        self.due(request).await;
    }

    /// Ends the pause of the order's timeout entry and keeps its attempts.
    pub(crate) async fn wait_over(&self, request: &OrderRequested) {
        let _: u64 = self
            .redis(&[
                "ZADD",
                &self.queue_key("due"),
                "XX",
                "1",
                &request.order.to_string(),
            ])
            .await;
    }

    /// Makes the order's timeout entry due. Returns whether it has one.
    pub(crate) async fn due(&self, request: &OrderRequested) -> bool {
        let id = request.order.to_string();
        self.gate
            .timeouts()
            .reschedule(request.order.shard(), &id, Due::At(1))
            .await
            .expect("Redis runs")
    }

    pub(crate) async fn row(&self, request: &OrderRequested) -> Option<OrderRow> {
        self.store
            .order(request.order)
            .await
            .expect("Postgres runs")
    }

    pub(crate) async fn status(&self, request: &OrderRequested) -> Option<Status> {
        self.row(request).await.map(|row| row.status)
    }

    /// Whether the order has a timeout entry.
    pub(crate) async fn has_entry(&self, request: &OrderRequested) -> bool {
        let id = request.order.to_string();
        self.gate
            .timeouts()
            .peek(request.order.shard(), &id)
            .await
            .expect("Redis runs")
            .is_some()
    }

    /// Time until the order's entry is due, ms.
    pub(crate) async fn due_in_ms(&self, request: &OrderRequested) -> i64 {
        let entry = self
            .gate
            .timeouts()
            .peek(request.order.shard(), &request.order.to_string())
            .await
            .expect("Redis runs");
        let time: (i64, i64) = self.redis(&["TIME"]).await;
        entry.expect("an entry").due_ms as i64 - (time.0 * 1_000 + time.1 / 1_000)
    }
}
