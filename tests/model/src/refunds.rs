//! Refunds: what each statement does. A refund is one of the whole payment.

use shared::sale::Status;

use crate::database::{Database, Money, Refund};
use crate::gate::Number;
use crate::scenario::Scenario;

impl Database {
    /// `refund_order.sql`: an operator requests the refund of a paid order. Whether there is a new one.
    pub fn request_refund(&mut self, scenario: &Scenario, number: Number) -> bool {
        let is_payer =
            |at: &usize| scenario.payments[*at] == number && self.payments[*at] == Money::Applied;
        let payer = (0..self.payments.len()).find(is_payer);
        let Some(payer) = payer.filter(|at| self.refunds[*at] == Refund::None) else {
            return false;
        };
        let is_paid = self.change(scenario, number, Status::Refunding).is_some();
        if is_paid {
            self.refunds[payer] = Refund::Requested;
        }
        is_paid
    }

    /// `refunds_request.sql`: a refund for each payment that pays no order.
    pub fn request_refunds(&mut self) {
        for (refund, money) in self.refunds.iter_mut().zip(&self.payments) {
            if (*refund, *money) == (Refund::None, Money::ToRefund) {
                *refund = Refund::Requested;
            }
        }
    }

    /// `refunds_claim.sql`, for a refund that is due or whose lease has ended.
    pub fn hand_out(&mut self, payment: u8, token: u8) {
        let refund = &mut self.refunds[usize::from(payment)];
        if matches!(refund, Refund::Requested | Refund::HandedOut(_)) {
            *refund = Refund::HandedOut(token);
        }
    }

    /// `refund_done.sql`: the provider has returned the money to the holder of the token.
    pub fn refund_done(&mut self, scenario: &Scenario, payment: u8, token: u8) {
        let at = usize::from(payment);
        if self.refunds[at] != Refund::HandedOut(token) {
            return;
        }
        self.refunds[at] = Refund::Done;
        if self.payments[at] == Money::Applied {
            self.change(scenario, scenario.payments[at], Status::Refunded);
        }
        self.payments[at] = Money::Refunded;
    }
}
