//! The statements of refunds.

use std::collections::BTreeMap;
use std::time::Duration;

use model::database::Refund;
use shared::message::{IdempotencyKey, Nonce, UserId};
use shared::store::{RefundRequest, RefundRequested};

use super::Case;

/// No lease ends during a case, unless the case ends it.
const LEASE: Duration = Duration::from_hours(1);

fn token(n: u8) -> Nonce {
    Nonce::new([n; 16])
}

impl Case<'_> {
    pub(super) async fn request_refund(&mut self, slot: usize) {
        let order = &self.orders[slot];
        let request = RefundRequest {
            order: order.order,
            amount: None,
            key: IdempotencyKey::new(format!("refund-{}", rand::random::<u64>())).expect("valid"),
            by: UserId::new("operator").expect("valid"),
            note: "requested".to_owned(),
        };
        let requested = self.environment.store.request_refund(&request).await;
        let is_new = matches!(requested.expect("postgres"), RefundRequested::New(_));
        let expected = self
            .expected
            .request_refund(&self.scenario, Self::number(slot));
        assert_eq!(is_new, expected, "{order:?}");
    }

    /// Refunds of earlier cases are handed out as well.
    pub(super) async fn hand_out(&mut self, all: bool) {
        if all {
            let end = "UPDATE refunds SET due_at = now() WHERE state = 'handed_out'";
            self.environment.run(end).await;
        }
        self.handed_out += 1;
        let store = &self.environment.store;
        let handed_out = store
            .hand_out_refunds(token(self.handed_out), LEASE, 1_000)
            .await;
        let mut found = Vec::new();
        for refund in handed_out.expect("postgres") {
            let mut payments = self.payments.iter();
            if let Some(at) = payments.position(|one| one.reference == refund.reference) {
                self.refunds.insert(at, refund.id);
                found.push(at);
            }
        }
        found.sort_unstable();
        let refunds = self.expected.refunds.iter().enumerate();
        let due = refunds.filter(|(_, refund)| match refund {
            Refund::Requested => true,
            Refund::HandedOut(_) => all,
            Refund::None | Refund::Done => false,
        });
        let due: Vec<usize> = due.map(|(at, _)| at).collect();
        assert_eq!(found, due);
        for at in due {
            self.expected.hand_out(at as u8, self.handed_out);
        }
    }

    pub(super) async fn refund_done(&mut self, payment: usize, old: bool) {
        let Some(id) = self.refunds.get(&payment) else {
            return;
        };
        let last = match self.expected.refunds[payment] {
            Refund::HandedOut(token) => token,
            Refund::None | Refund::Requested | Refund::Done => self.handed_out,
        };
        let held = last - u8::from(old);
        let done = self
            .environment
            .store
            .refund_done(*id, token(held), "r")
            .await;
        done.expect("postgres");
        self.expected
            .refund_done(&self.scenario, payment as u8, held);
    }

    pub(super) async fn compare_refunds(&self) {
        let references = self.payments.iter().map(|payment| &payment.reference);
        let found = sqlx::query_as(
            "SELECT p.reference, r.state FROM refunds r JOIN payments p ON p.id = r.payment
            WHERE p.reference = ANY ($1)",
        );
        let found: Vec<(String, String)> = found
            .bind(references.collect::<Vec<_>>())
            .fetch_all(&self.environment.raw)
            .await
            .expect("refunds");
        let expected = self.payments.iter().zip(&self.expected.refunds);
        let expected = expected.filter_map(|(payment, refund)| {
            let state = match refund {
                Refund::None => return None,
                Refund::Requested => "to_refund",
                Refund::HandedOut(_) => "handed_out",
                Refund::Done => "refunded",
            };
            Some((payment.reference.clone(), state.to_owned()))
        });
        assert_eq!(
            BTreeMap::from_iter(found),
            expected.collect::<BTreeMap<_, _>>()
        );
    }
}
