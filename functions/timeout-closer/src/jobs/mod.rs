//! The maintenance jobs, one module each.
//!
//! | job | runs | does |
//! |---|---|---|
//! | [`DueOrderCloser`] | every tick | closes the orders whose timeout entries are due |
//! | [`GateRefiller`] | every tick | continues to fill gates that lost their state |
//! | [`OutboxPublisher`] | sweep | publishes committed program changes that are not published |
//! | [`OverdueOrderCloser`] | sweep | closes overdue rows that no timeout entry leads to |
//! | [`PaymentMatcher`] | sweep | matches payments and orders that were stored concurrently |
//! | [`BarrierWaitCleaner`] | sweep | deletes barrier requests that no order needs any more |
//! | [`BacklogReporter`] | sweep | counts what waits for an operator, another process or time |
//! | [`DirtyOrderReconciler`] | sweep | settles the gate by rows whose last change it may lack |
//! | [`BuyerTicketAuditor`] | sweep | compares buyers' ticket counts with the orders counted |
//! | [`SeatMapAuditor`] | sweep | compares the seat maps with Postgres, a part at a time |

mod backlog_reporter;
mod barrier_wait_cleaner;
mod buyer_ticket_auditor;
mod dirty_order_reconciler;
mod due_order_closer;
mod gate_refiller;
mod outbox_publisher;
mod overdue_order_closer;
mod payment_matcher;
mod seat_map_auditor;

use std::time::Instant;

use futures::future::BoxFuture;
use shared::cache::AnnounceError;
use shared::gate::GateError;
use shared::refill::RefillError;
use shared::store::StoreError;

use crate::closer::Closer;
use crate::report::SweepReport;

use backlog_reporter::BacklogReporter;
use barrier_wait_cleaner::BarrierWaitCleaner;
use buyer_ticket_auditor::BuyerTicketAuditor;
use dirty_order_reconciler::DirtyOrderReconciler;
pub(crate) use due_order_closer::DueOrderCloser;
pub use gate_refiller::GateRefiller;
use outbox_publisher::OutboxPublisher;
use overdue_order_closer::OverdueOrderCloser;
use payment_matcher::PaymentMatcher;
use seat_map_auditor::SeatMapAuditor;

/// Jobs of a sweep that need no gate, in the order in which they run.
const STORE_JOBS: [&dyn SweepJob; 5] = [
    &OutboxPublisher,
    &OverdueOrderCloser,
    &PaymentMatcher,
    &BarrierWaitCleaner,
    &BacklogReporter,
];
/// Jobs of a sweep that need the gate, in the order in which they run.
const GATE_JOBS: [&dyn SweepJob; 3] = [&DirtyOrderReconciler, &BuyerTicketAuditor, &SeatMapAuditor];

/// A job of the sweep.
trait SweepJob: Sync {
    /// Does a bounded part of the job and starts nothing after `until`. The next sweep continues.
    /// `report` counts what was done, also when the job fails.
    fn run<'a>(
        &'a self,
        closer: &'a Closer,
        until: Instant,
        report: &'a mut SweepReport,
    ) -> BoxFuture<'a, Result<(), JobError>>;
}

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

/// Runs the jobs of a sweep. A job that fails does not stop the others. Returns the first error.
pub(crate) async fn sweep(
    closer: &Closer,
    until: Instant,
    report: &mut SweepReport,
) -> Result<(), JobError> {
    let mut outcome = Ok(());
    for job in STORE_JOBS {
        outcome = outcome.and(job.run(closer, until, report).await);
    }
    // One ping instead of a timeout for each row while the gate is away.
    if let Err(error) = closer.gate.ping().await {
        return outcome.and(Err(error.into()));
    }
    for job in GATE_JOBS {
        outcome = outcome.and(job.run(closer, until, report).await);
    }
    outcome
}
