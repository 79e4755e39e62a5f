//! timeout-closer: one refund.

use super::Process;
use crate::state::Step;

impl Process<'_> {
    /// Under the key of the payment: repeated, it returns nothing more.
    pub(super) fn return_money(&mut self, payment: u8, token: u8) {
        self.state.returned |= 1 << payment;
        self.then([Step::RefundDone(payment, token)]);
    }

    /// An order that becomes refunded is dirty: the sweep settles the gate by it.
    pub(super) fn refund_done(&mut self, payment: u8, token: u8) {
        self.state.db.refund_done(self.scenario, payment, token);
    }
}
