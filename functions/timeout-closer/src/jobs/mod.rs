//! The maintenance jobs, one module each.
//!
//! | job | runs | does |
//! |---|---|---|
//! | `due_order_closer` | every tick | closes the orders whose timeout entries are due |
//! | `gate_refiller` | every tick | continues to fill gates that lost their state |
//! | `outbox_publisher` | sweep | publishes committed program changes that are not published |
//! | `overdue_order_closer` | sweep | closes overdue rows that no timeout entry leads to |
//! | `payment_matcher` | sweep | matches payments and orders that were stored concurrently |
//! | `barrier_wait_cleaner` | sweep | deletes barrier requests that no order needs any more |
//! | `expired_row_cleaner` | sweep | deletes rows that are older than their retention |
//! | `refund_sender` | sweep | sends refunds to the payment provider |
//! | `backlog_reporter` | sweep | counts what waits for an operator, another process or time |
//! | `write_guard_checker` | sweep | checks that the gate takes no writes without its replicas |
//! | `dirty_order_reconciler` | sweep | settles the gate by rows whose last change it may lack |
//! | `program_seat_settler` | sweep | brings added, blocked and unblocked seats into the gate |
//! | `buyer_ticket_auditor` | sweep | compares buyers' ticket counts with the orders counted |
//! | `seat_map_auditor` | sweep | compares the seat maps with Postgres, a part at a time |

mod backlog_reporter;
mod barrier_wait_cleaner;
mod buyer_ticket_auditor;
mod dirty_order_reconciler;
pub(crate) mod due_order_closer;
mod expired_row_cleaner;
mod gate_refiller;
mod outbox_publisher;
mod overdue_order_closer;
mod payment_matcher;
mod program_seat_settler;
mod refund_sender;
mod seat_map_auditor;
mod write_guard_checker;

use std::time::Instant;

use shared::cache::AnnounceError;
use shared::gate::GateError;
use shared::protection::{Protection, removed};
use shared::refill::RefillError;
use shared::store::StoreError;

use crate::closer::Closer;
use crate::report::SweepReport;

pub use gate_refiller::refill_gates;
pub use seat_map_auditor::repair_chunk;

/// Why a job ended early. Its effects stay; its next run continues.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis failed.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A gate could not be filled further.
    #[error(transparent)]
    Refill(#[from] RefillError),
    /// A change of a program could not be published.
    #[error("a change of a program is not published: {0}")]
    Announce(#[from] AnnounceError),
}

/// One sweep. Each job does a bounded part of its work.
pub(crate) struct Sweep<'a> {
    pub(crate) closer: &'a Closer,
    /// No job starts anything after it.
    pub(crate) until: Instant,
    /// What the jobs did.
    pub(crate) report: &'a mut SweepReport,
}

impl Sweep<'_> {
    /// Runs the jobs in order. A job that fails does not stop the others. Returns the first error.
    pub(crate) async fn run(&mut self) -> Result<(), JobError> {
        let mut outcome = Ok(());
        if !removed(Protection::Sweep) {
            outcome = self.finish_work().await;
        }
        // One ping instead of a timeout for each row while the gate is away.
        if let Err(error) = self.closer.gate.ping().await {
            return outcome.and(Err(error.into()));
        }
        if !removed(Protection::Sweep) {
            outcome = outcome.and(write_guard_checker::run(self).await);
            outcome = outcome.and(dirty_order_reconciler::run(self).await);
            outcome = outcome.and(program_seat_settler::run(self).await);
        }
        if !removed(Protection::Audit) {
            outcome = outcome.and(buyer_ticket_auditor::run(self).await);
            outcome = outcome.and(seat_map_auditor::run(self).await);
        }
        outcome
    }

    /// The jobs that need no gate.
    async fn finish_work(&mut self) -> Result<(), JobError> {
        let outcome = outbox_publisher::run(self).await;
        let outcome = outcome.and(overdue_order_closer::run(self).await);
        let outcome = outcome.and(payment_matcher::run(self).await);
        let outcome = outcome.and(refund_sender::run(self).await);
        let outcome = outcome.and(barrier_wait_cleaner::run(self).await);
        let outcome = outcome.and(expired_row_cleaner::run(self).await);
        outcome.and(backlog_reporter::run(self).await)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}
