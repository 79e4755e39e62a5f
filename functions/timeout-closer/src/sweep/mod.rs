//! Step 6: what no timeout entry leads to any more. Whatever a crash left between two steps, one of these finds it:
//!
//! - unpaid rows past their time, whatever the gate says;
//! - payments and orders that were stored at the same moment and have not seen each other;
//! - rows whose last change the gate may not know;
//! - changes of programs that were committed and never published ([`publish`]);
//! - buyers' tickets that count orders which have ended ([`tickets`]);
//! - chunk by chunk, over all programs in turn: seats that the gate and Postgres disagree about, and numbers of the gate that are not what
//!   its seats say ([`seats`]).

mod chunk;
mod differences;
mod outbox;
mod position;
mod seats;
mod tickets;

use std::time::{Instant, SystemTime};

pub use outbox::publish;
use shared::cache::AnnounceError;
use shared::gate::{Gate, GateError};
use shared::reconcile::{Reconciled, reconcile};
use shared::store::{OrderRow, Store, StoreError};
use shared::telemetry::traces::Tracer;

use crate::traces::{self, Way};

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Overdue orders closed that no entry had led to.
    pub closed: u64,
    /// Orders that became paid by a payment that had been waiting.
    pub matched: u64,
    /// Dirty rows that the gate agrees about now.
    pub settled: u64,
    /// Rows that stay dirty: the gate is away, or the program is not in it.
    pub unsettled: u64,
    /// Orders that got their timeout entry back.
    pub rearmed: u64,
    /// Orders whose seats the gate and Postgres disagreed about.
    pub mended: u64,
    /// Numbers of the gate that were not what its seats say: free seats, longest runs.
    pub recounted: u64,
    /// Orders that counted wrongly towards their buyers' limits.
    pub tickets: u64,
    /// Changes of programs published that their makers had not.
    pub published: u64,
    /// Changes of programs that the stream did not take: the next sweep tries again.
    pub unpublished: u64,
    /// Records set aside so far: each wants a person.
    pub parked: u64,
    /// Orders overdue still: a payment waits for them, or time ran out.
    pub overdue: u64,
    /// Payments that wait for an order.
    pub unmatched: u64,
    /// Payments whose money is to go back to the buyer.
    pub to_refund: u64,
}

/// Why a sweep ended early. The next begins again.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Postgres is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis is away.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A change of a program could not be published.
    #[error("a change of a program is not published: {0}")]
    Announce(#[from] AnnounceError),
}

/// One sweep, in pages of `limit` rows; nothing is begun after `until`. `swept` tells how far it came, also when it ends early.
pub async fn run(
    gate: &Gate,
    store: &Store,
    tracer: &Tracer,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    // What one step cannot do is no reason to leave the others undone.
    let closed = close_overdue(store, tracer, limit, until, swept).await;
    let matched = match_payments(store, limit, swept).await;
    let mended = mend(gate, store, limit, until, swept).await;
    closed.and(matched).and(mended)
}

async fn close_overdue(
    store: &Store,
    tracer: &Tracer,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    loop {
        let began = SystemTime::now();
        let rows = store.sweep_overdue(limit).await?;
        if tracer.is_on() {
            let took = (began, SystemTime::now());
            // The gate is told later, with all rows that it may not know.
            let span = |row: &OrderRow| {
                traces::closed(row, Way::Sweep, None, took, |traceparent| {
                    tracer.place(traceparent)
                })
            };
            tracer.record(rows.iter().filter_map(span));
        }
        let closed = rows.len() as u64;
        swept.closed += closed;
        if closed < u64::from(limit) || Instant::now() >= until {
            return Ok(());
        }
    }
}

async fn match_payments(store: &Store, limit: u32, swept: &mut Swept) -> Result<(), SweepError> {
    swept.matched = store.sweep_payments(limit).await?.len() as u64;
    store.forget_barrier_waits().await?;
    let counts = store.counts().await?;
    swept.parked = counts.parked.max(0) as u64;
    swept.overdue = counts.overdue.max(0) as u64;
    swept.unmatched = counts.unmatched_payments.max(0) as u64;
    swept.to_refund = counts.to_refund.max(0) as u64;
    if counts.unmatched_too_long > 0 {
        tracing::error!(
            payments = counts.unmatched_too_long,
            "ALARM: payments have waited for an order longer than any pay window"
        );
    }
    Ok(())
}

/// What needs the gate. One that is away is asked once: each row would wait for its own answer.
async fn mend(
    gate: &Gate,
    store: &Store,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    gate.ping().await?;
    settle_dirty(gate, store, limit, until, swept).await?;
    let tickets = tickets::compare(gate, store, until, swept).await;
    tickets.and(seats::compare(gate, store, limit, until, swept).await)
}

/// Every row the gate may not know, those just changed among them. Rows that have to wait for their program stay dirty, and must not
/// hide those behind them: so all pages are looked at, not only the first.
async fn settle_dirty(
    gate: &Gate,
    store: &Store,
    limit: u32,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let mut after = None;
    while Instant::now() < until {
        let dirty = store.dirty(after, limit).await?;
        let Some(last) = dirty.last() else { break };
        after = Some(last.number);
        let report = reconcile(gate, store, &dirty).await?;
        swept.settled += report.settled as u64;
        swept.unsettled += (report.waiting.len() + report.failed.len()) as u64;
        warn(&report);
        if dirty.len() < limit as usize {
            break;
        }
    }
    Ok(())
}

fn warn(report: &Reconciled) {
    for (order, error) in report.failed.iter().take(3) {
        tracing::warn!(%order, %error, "not settled yet");
    }
    if !report.waiting.is_empty() {
        tracing::warn!(
            orders = report.waiting.len(),
            "not settled: their programs are not in the gate"
        );
    }
}
