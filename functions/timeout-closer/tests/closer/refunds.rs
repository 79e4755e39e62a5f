//! Refunds are sent to the payment provider, which returns each once.

use std::time::Duration;

use serde_json::json;
use shared::access::Access;
use shared::config::Reader;
use shared::message::{Cents, IdempotencyKey, Nonce, OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{
    Payment, PaymentFilter, PaymentResult, RefundFilter, RefundRequest, RefundRequested, RefundRow,
    RefundState,
};
use timeout_closer::refunds::{ProviderAnswer, ProviderRefund};
use timeout_closer::{Closer, Settings, SweepReport};

use crate::environment::{TestEnvironment, tick, with};
use crate::provider::Provider;

impl TestEnvironment {
    /// A closer that sends refunds to this provider.
    async fn refunding(&self, provider: &Provider) -> Closer {
        let mut variables = self.variables(&[]);
        variables.extend(provider.variables());
        let settings = Settings::read(&Reader::new(variables)).expect("valid settings");
        let access = Access::open(&settings.access).await.expect("keys");
        Closer::open(settings, &access).expect("opens")
    }

    /// One sweep of a new process.
    async fn sweep(&self, provider: &Provider) -> SweepReport {
        let report = tick(&self.refunding(provider).await).await;
        report
            .expect("the servers run")
            .sweep
            .expect("the first tick sweeps")
    }

    async fn pay(&self, reference: &str, order: &OrderRequested) -> PaymentResult {
        let payment = Payment {
            reference: reference.to_owned(),
            order: order.order,
            amount: order.amount_cents,
        };
        self.store
            .pay(&payment)
            .await
            .expect("Postgres runs")
            .result
    }

    /// A paid order of two seats by which the gate is settled.
    async fn paid(&self, offset: i64) -> OrderRequested {
        let order = self.unpaid("alice", &[3, 4], offset).await;
        assert_eq!(self.pay("p", &order).await, PaymentResult::Applied);
        self.settle(&order).await;
        order
    }

    async fn request_refund(&self, order: &OrderRequested, cents: Option<i64>) -> RefundRow {
        let request = RefundRequest {
            order: order.order,
            amount: cents.map(|cents| Cents::new(cents).expect("valid")),
            key: IdempotencyKey::new("k").expect("valid"),
            by: UserId::new("operator").expect("valid"),
            note: "moved".to_owned(),
        };
        match self.store.request_refund(&request).await {
            Ok(RefundRequested::New(refund)) => refund,
            other => panic!("{other:?}"),
        }
    }

    async fn refund(&self) -> RefundRow {
        let refunds = self.store.refunds(&RefundFilter::default(), None, 2).await;
        let mut refunds = refunds.expect("Postgres runs");
        assert_eq!(refunds.len(), 1);
        refunds.remove(0)
    }
}

#[tokio::test]
async fn a_whole_refund_frees_the_seats() {
    with(1, |env| async move {
        let provider = Provider::start().await;
        let order = env.paid(0).await;
        env.request_refund(&order, None).await;
        assert_eq!(env.free().await, 8);
        let swept = env.sweep(&provider).await;
        assert_eq!((swept.refunded, swept.refunds_waiting), (1, 0));
        assert_eq!(env.status(&order).await, Some(Status::Refunded));
        assert_eq!(env.free().await, 10, "the same sweep settles the gate");
        let refund = env.refund().await;
        let (key, body) = provider.requests().remove(0);
        let expected = json!({
            "refund": refund.id.to_string(), "payment": "p", "order": order.order,
            "amount_cents": order.amount_cents,
        });
        assert_eq!(body, expected);
        assert_eq!(refund.answer, Some(format!("re-{key}")));
        assert_eq!(env.sweep(&provider).await.refunded, 0);
        assert_eq!(provider.requests().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn payments_that_pay_no_order_are_returned() {
    with(1, |env| async move {
        let provider = Provider::start().await;
        let order = env.paid(0).await;
        let lost = env.request("bob", &[7]);
        assert_eq!(env.pay("late", &order).await, PaymentResult::ToRefund);
        assert_eq!(env.pay("lost", &lost).await, PaymentResult::Unmatched);
        env.run(
            "UPDATE payments SET received_at = now() - interval '2 days' WHERE status = 'unmatched'",
        )
        .await;
        let swept = env.sweep(&provider).await;
        assert_eq!((swept.given_up, swept.refunds_requested, swept.refunded), (1, 2, 2));
        assert_eq!(provider.returned(), [100, 200]);
        let all = env.store.payments(&PaymentFilter::default(), None, 9).await;
        let states: Vec<_> = all
            .expect("Postgres runs")
            .iter()
            .map(|payment| format!("{} {}", payment.reference, payment.state.as_str()))
            .collect();
        assert_eq!(states, ["lost refunded", "late refunded", "p applied"]);
        assert_eq!(env.status(&order).await, Some(Status::Paid));
    })
    .await;
}

#[tokio::test]
async fn a_provider_that_decides_nothing_loses_no_refund() {
    with(1, |env| async move {
        let provider = Provider::start().await;
        let order = env.paid(0).await;
        env.request_refund(&order, Some(50)).await;
        let unauthorized = json!({ "status": "refused", "reason": "not for you" });
        for (status, body) in [
            (503, json!("busy")),
            (401, unauthorized),
            (202, json!({ "status": "pending" })),
        ] {
            provider.will_answer(status, body);
            let swept = env.sweep(&provider).await;
            assert_eq!(
                (swept.refunds_failed, swept.refunds_waiting),
                (1, 1),
                "{status}"
            );
            assert_eq!(
                env.sweep(&provider).await.refunds_failed,
                0,
                "it is postponed"
            );
            env.run("UPDATE refunds SET due_at = now()").await;
        }
        assert_eq!(env.sweep(&provider).await.refunded, 1);
        let mut keys: Vec<_> = provider
            .requests()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys.len(), 4);
        keys.dedup();
        assert_eq!(keys.len(), 1, "each attempt has the same key");
        assert_eq!(provider.returned(), [50]);
        assert_eq!(env.status(&order).await, Some(Status::Paid), "of a part");
    })
    .await;
}

#[tokio::test]
async fn a_crash_after_the_answer_returns_no_money_twice() {
    with(1, |env| async move {
        let provider = Provider::start().await;
        let order = env.paid(0).await;
        env.request_refund(&order, None).await;
        // A process that dies when the provider has answered.
        let dying = env.refunding(&provider).await;
        let handed_out = env
            .store
            .hand_out_refunds(Nonce::new([1; 16]), Duration::ZERO, 1)
            .await
            .expect("Postgres runs");
        let refund = &handed_out[0];
        let answer = dying
            .refunds
            .as_ref()
            .expect("a provider")
            .refund(&ProviderRefund {
                id: refund.id,
                payment: &refund.reference,
                order: refund.order,
                amount: refund.amount,
                idempotency_key: &refund.key,
            })
            .await;
        assert!(
            matches!(answer, Ok(ProviderAnswer::Refunded { .. })),
            "{answer:?}"
        );
        assert_eq!(env.status(&order).await, Some(Status::Refunding));
        assert_eq!(env.sweep(&provider).await.refunded, 1);
        assert_eq!(provider.requests().len(), 2);
        assert_eq!(provider.returned(), [200]);
        assert_eq!(env.status(&order).await, Some(Status::Refunded));
    })
    .await;
}

#[tokio::test]
async fn a_refused_refund_is_kept_and_reported() {
    with(1, |env| async move {
        let provider = Provider::start().await;
        let order = env.paid(0).await;
        let refund = env.request_refund(&order, None).await;
        provider.will_answer(422, json!({ "status": "refused", "reason": "card closed" }));
        let swept = env.sweep(&provider).await;
        assert_eq!((swept.refused, swept.refunds_refused), (1, 1));
        let row = env.refund().await;
        assert_eq!(
            (row.state, row.answer.as_deref()),
            (RefundState::Refused, Some("card closed"))
        );
        assert_eq!(env.status(&order).await, Some(Status::Refunding));
        let swept = env.sweep(&provider).await;
        assert_eq!((swept.refused, swept.refunds_refused), (0, 1));
        assert!(
            env.store
                .retry_refund(refund.id)
                .await
                .expect("Postgres runs")
        );
        assert_eq!(env.sweep(&provider).await.refunded, 1);
        assert_eq!(env.status(&order).await, Some(Status::Refunded));
    })
    .await;
}

#[tokio::test]
async fn without_a_provider_refunds_wait_for_operators() {
    with(1, |env| async move {
        let order = env.paid(0).await;
        assert_eq!(env.pay("late", &order).await, PaymentResult::ToRefund);
        env.request_refund(&order, None).await;
        let swept = env.tick().await.sweep.expect("the first tick sweeps");
        assert_eq!((swept.to_refund, swept.refunds_requested), (1, 0));
        assert_eq!((swept.refunds_waiting, swept.refunded), (1, 0));
        assert_eq!(env.refund().await.state, RefundState::ToRefund);
    })
    .await;
}
