//! The statements compared with the plain tables of the protocol's model (`tests/model`): random
//! sequences of every change of an order, and the tables after each.

mod refunds;

use std::collections::BTreeMap;

use model::Scenario;
use model::database::{Batch, Database, Money, Row};
use model::gate::Seat;
use model::scenario::{OrderId, OrderSpec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use shared::message::OrderRequested;
use shared::store::{CloseDecision, Fence, Payment, RefundId, UnsettledBatch};

use crate::environment::{Environment, MIN_PAY_MS, arrival, keyed, order, with};

const USERS: [&str; 2] = ["alice", "bob"];
/// Orders of a case.
const ORDERS: usize = 4;
/// Payments of a case.
const PAYMENTS: usize = 5;

#[derive(Debug, Clone, Copy)]
enum Operation {
    /// order-create receives the order; whether after its promised time to pay.
    Store(usize, bool),
    Fence(usize),
    Cancel(usize),
    Pay(usize),
    Overdue(usize),
    Close(usize),
    SweepOverdue,
    SweepPayments,
    Adopt,
    /// The gate is settled by the version before the current one, or the current one.
    Settled(usize, bool),
    /// An operator requests the refund of an order.
    Refund(usize),
    RequestRefunds,
    /// Every refund is handed out; whether those whose lease lasts as well.
    HandOut(bool),
    /// The provider has returned the money of a payment, under its last token or the one before.
    RefundDone(usize, bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![3 => change(), 1 => refund()]
}

fn change() -> impl Strategy<Value = Operation> {
    let slot = 0..ORDERS;
    prop_oneof![
        6 => (slot.clone(), any::<bool>()).prop_map(|(slot, late)| Operation::Store(slot, late)),
        1 => slot.clone().prop_map(Operation::Fence),
        1 => slot.clone().prop_map(Operation::Cancel),
        4 => (0..PAYMENTS).prop_map(Operation::Pay),
        3 => slot.clone().prop_map(Operation::Overdue),
        3 => slot.clone().prop_map(Operation::Close),
        1 => Just(Operation::SweepOverdue),
        1 => Just(Operation::SweepPayments),
        1 => Just(Operation::Adopt),
        3 => (slot, any::<bool>()).prop_map(|(slot, old)| Operation::Settled(slot, old)),
    ]
}

fn refund() -> impl Strategy<Value = Operation> {
    prop_oneof![
        2 => (0..ORDERS).prop_map(Operation::Refund),
        1 => Just(Operation::RequestRefunds),
        2 => any::<bool>().prop_map(Operation::HandOut),
        3 => (0..PAYMENTS, any::<bool>()).prop_map(|(at, old)| Operation::RefundDone(at, old)),
    ]
}

/// Buyer, seats and key of an order.
fn draft() -> impl Strategy<Value = (u8, Vec<Seat>, Option<u8>)> {
    let seats = proptest::collection::btree_set(0..4_u32, 1..3);
    let seats = seats.prop_map(|seats| seats.into_iter().collect());
    (0..2_u8, seats, proptest::option::of(0..2_u8))
}

/// The database of the model, and the orders as the store knows them.
struct Case<'a> {
    environment: &'a Environment,
    scenario: Scenario,
    expected: Database,
    orders: Vec<OrderRequested>,
    payments: Vec<Payment>,
    batches: BTreeMap<Batch, UnsettledBatch>,
    offset: i64,
    /// By payment: its refund, since it was handed out.
    refunds: BTreeMap<usize, RefundId>,
    /// Times that refunds were handed out: the last token.
    handed_out: u8,
}

impl Case<'_> {
    fn number(slot: usize) -> u16 {
        slot as u16 + 1
    }

    fn row(&self, slot: usize) -> Option<Row> {
        self.expected.rows.get(&Self::number(slot)).copied()
    }

    async fn run(&mut self, operation: Operation) {
        let store = &self.environment.store;
        let scenario = &self.scenario;
        let expected = &mut self.expected;
        match operation {
            Operation::Store(slot, late) => {
                let mut request = self.orders[slot].clone();
                if late {
                    request.pay_by_ms = 1;
                }
                let arrivals = [arrival(0, self.offset, &request)];
                self.offset += 1;
                let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
                assert_eq!(stored.unfinished, None);
                expected.store(scenario, slot as OrderId, late);
                let listed = stored.unsettled.first().copied();
                let batch = Batch::Stored(Self::number(slot));
                self.batches.extend(listed.map(|listed| (batch, listed)));
            }
            Operation::Fence(slot) => {
                let request = &self.orders[slot];
                let fence = Fence::of_message(request, "abandoned");
                let is_new = !expected.rows.contains_key(&Self::number(slot));
                store.fence(&fence).await.expect("postgres");
                expected.fence(scenario, slot as OrderId, false);
                if is_new {
                    expected.match_payments(scenario, Self::number(slot));
                }
            }
            Operation::Cancel(slot) => {
                let request = &self.orders[slot];
                let cancelled = store.cancel(request.order, &request.user).await;
                cancelled.expect("postgres");
                expected.cancel(scenario, slot as OrderId);
            }
            Operation::Pay(payment) => {
                store.pay(&self.payments[payment]).await.expect("postgres");
                if expected.pay(scenario, payment).is_none() {
                    expected.record(payment);
                    if expected.payments[payment] == Money::Unmatched {
                        expected.match_payments(scenario, scenario.payments[payment]);
                    }
                }
            }
            Operation::Overdue(slot) => {
                if let Some(row) = expected.rows.get_mut(&Self::number(slot)) {
                    row.late = true;
                    self.environment.make_overdue(self.orders[slot].order).await;
                }
            }
            Operation::Close(slot) => self.close(slot).await,
            Operation::SweepOverdue => {
                store.sweep_overdue(100).await.expect("postgres");
                for slot in 0..ORDERS {
                    expected.sweep_overdue(scenario, Self::number(slot));
                }
            }
            Operation::SweepPayments => {
                store.sweep_payments(100).await.expect("postgres");
                for slot in 0..ORDERS {
                    if expected.rows.contains_key(&Self::number(slot)) {
                        expected.match_payments(scenario, Self::number(slot));
                    }
                }
            }
            Operation::Adopt => {
                let age = "UPDATE unsettled SET created_at = now() - interval '1 minute'";
                self.environment.run(age).await;
                store.dirty(None, 100).await.expect("postgres");
                for batch in std::mem::take(&mut self.batches).into_keys() {
                    expected.adopt(batch);
                }
            }
            Operation::Settled(slot, old) => self.settled(slot, old).await,
            Operation::Refund(slot) => self.request_refund(slot).await,
            Operation::RequestRefunds => {
                store.request_refunds(1_000).await.expect("postgres");
                expected.request_refunds();
            }
            Operation::HandOut(all) => self.hand_out(all).await,
            Operation::RefundDone(payment, old) => self.refund_done(payment, old).await,
        }
    }

    async fn close(&mut self, slot: usize) {
        let request = &self.orders[slot];
        let asked = [(request.order, request.nonce)];
        let closings = self.environment.store.close_due(&asked).await;
        let closings = closings.expect("postgres");
        let number = Self::number(slot);
        let closed = self.expected.close_due(&self.scenario, slot as OrderId);
        assert_eq!(closed, !closings.unsettled.is_empty(), "{closings:?}");
        for listed in closings.unsettled {
            self.batches.insert(Batch::Closed(number), listed);
        }
        let closing = &closings.decisions[0];
        let waits = self.expected.is_waited_for(&self.scenario, number);
        let found = self.row(slot).map(|row| row.status);
        assert_eq!(closing.row.as_ref().map(|row| row.status), found);
        let decision = CloseDecision::of(closing.row.as_ref(), request.nonce, waits);
        assert_eq!(closing.decision, decision);
    }

    async fn settled(&mut self, slot: usize, old: bool) {
        let Some(row) = self.row(slot) else { return };
        let version = if old && row.version > 1 {
            row.version - 1
        } else {
            row.version
        };
        let number = Self::number(slot);
        let ends = [Batch::Closed(number), Batch::Stored(number)];
        let ends = ends
            .into_iter()
            .find(|batch| self.batches.contains_key(batch));
        let listed: Vec<_> = ends.iter().map(|batch| self.batches[batch]).collect();
        let versions = [(self.orders[slot].order, i64::from(version))];
        let settled = self.environment.store.settled(&versions, &listed).await;
        let newer = settled.expect("postgres");
        let expected = self
            .expected
            .settled(&self.scenario, Row { version, ..row }, ends);
        assert_eq!(newer.len(), usize::from(expected.is_some()));
        if let (None, Some(batch)) = (expected, ends) {
            self.batches.remove(&batch);
        }
    }

    /// Every table, compared.
    async fn compare(&self) {
        let raw = &self.environment.raw;
        let program = self.orders[0].program.get();
        let numbers: Vec<i64> = self.orders.iter().map(|order| order.order.get()).collect();
        let slot_of = |number: i64| {
            let slot = numbers.iter().position(|one| *one == number);
            Self::number(slot.expect("an order of this case"))
        };
        let rows: Vec<(i64, String, i64, bool)> = sqlx::query_as(
            "SELECT number, status, version, dirty FROM orders WHERE number = ANY ($1)",
        )
        .bind(&numbers)
        .fetch_all(raw)
        .await
        .expect("rows");
        let rows: BTreeMap<_, _> = rows
            .into_iter()
            .map(|(number, status, version, dirty)| (slot_of(number), (status, version, dirty)))
            .collect();
        let expected = self.expected.rows.iter().map(|(number, row)| {
            let status = row.status.to_string();
            (*number, (status, i64::from(row.version), row.dirty))
        });
        assert_eq!(rows, expected.collect());

        let seats: Vec<(i32, i64)> =
            sqlx::query_as("SELECT seat, order_number FROM order_seats WHERE program = $1")
                .bind(program)
                .fetch_all(raw)
                .await
                .expect("seats");
        let seats = seats
            .into_iter()
            .map(|(seat, number)| (seat as u32, slot_of(number)));
        assert_eq!(
            seats.collect::<std::collections::BTreeSet<_>>(),
            self.expected.holders
        );

        let listed: Vec<i64> = sqlx::query_scalar(
            "SELECT n FROM unsettled, UNNEST(numbers) AS n WHERE n = ANY ($1) ORDER BY n",
        )
        .bind(&numbers)
        .fetch_all(raw)
        .await
        .expect("lists");
        let mut listed: Vec<u16> = listed.into_iter().map(slot_of).collect();
        listed.sort_unstable();
        let mut expected: Vec<u16> = self.expected.batches.iter().map(|b| b.number()).collect();
        expected.sort_unstable();
        assert_eq!(listed, expected, "unsettled");

        for (payment, money) in self.payments.iter().zip(&self.expected.payments) {
            let status = sqlx::query_scalar("SELECT status FROM payments WHERE reference = $1");
            let status: Option<String> = status
                .bind(&payment.reference)
                .fetch_optional(raw)
                .await
                .expect("payments");
            let expected = match money {
                Money::None => None,
                Money::Unmatched => Some("unmatched"),
                Money::Applied => Some("applied"),
                Money::ToRefund => Some("to_refund"),
                Money::Refunded => Some("refunded"),
            };
            assert_eq!(status.as_deref(), expected, "{payment:?}");
        }
        self.compare_refunds().await;
    }
}

#[tokio::test]
async fn statements_change_what_the_model_says() {
    with(|environment| async move {
        let mut runner = TestRunner::default();
        let orders = proptest::collection::vec(draft(), ORDERS..=ORDERS);
        let payments = proptest::collection::vec(0..ORDERS, PAYMENTS..=PAYMENTS);
        let operations = proptest::collection::vec(operation(), 10..40);
        let sequences = (orders, payments, operations);
        for case in 1..=40 {
            let (drafts, payments, operations) =
                sequences.new_tree(&mut runner).expect("a case").current();
            let mut case = new_case(&environment, case, &drafts, &payments);
            for operation in &operations {
                case.run(*operation).await;
                case.compare().await;
            }
        }
    })
    .await;
}

fn new_case<'a>(
    environment: &'a Environment,
    program: i64,
    drafts: &[(u8, Vec<Seat>, Option<u8>)],
    payments: &[usize],
) -> Case<'a> {
    let mut scenario = Scenario::new("statements", &[]);
    let mut orders = Vec::new();
    for (slot, (user, seats, key)) in drafts.iter().enumerate() {
        let plain = order(USERS[usize::from(*user)], program, seats);
        orders.push(match key {
            Some(key) => keyed(plain, &format!("k{key}")),
            None => plain,
        });
        scenario.orders.push(OrderSpec {
            number: Case::number(slot),
            nonce: slot as u8 + 1,
            user: *user,
            key: *key,
            seats: seats.clone(),
        });
    }
    let of_slot = |(n, slot): (usize, &usize)| Payment {
        reference: format!("reference-{program}-{n}"),
        order: orders[*slot].order,
        amount: orders[*slot].amount_cents,
    };
    let money = payments.iter().enumerate().map(of_slot).collect();
    scenario.payments = payments.iter().map(|slot| Case::number(*slot)).collect();
    let expected = Database::new(&scenario);
    Case {
        environment,
        scenario,
        expected,
        orders,
        payments: money,
        batches: BTreeMap::new(),
        offset: program * 1_000,
        refunds: BTreeMap::new(),
        handed_out: 0,
    }
}
