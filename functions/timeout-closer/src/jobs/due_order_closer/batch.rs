//! A batch of claimed timeout entries.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use delay_queue::Claim;
use lambda_batch::ErrorClass;
use shared::gate::{Gate, GateError, OrderAt, ProgramRef, Settle, Settled, TimeoutJob};
use shared::message::{Nonce, OrderNumber};
use shared::protection::{Protection, removed};
use shared::reconcile::{Reconciled, reconcile_batches};
use shared::steps::{CloseAction, Evidence, RetryDelay, after_claim};
use shared::store::{
    BarrierWait, CloseDecision, Closing, Fence, Fenced, OrderRow, Progress, StoreError,
    UnsettledBatch,
};

use super::log_summary::LogSummary;
use crate::closer::Closer;
use crate::closing_span::ClosedBy;
use crate::jobs::JobError;
use crate::report::ClosingCounts;

/// The batch at work: what was looked up, and what is to become of each entry.
pub(super) struct Batch<'a> {
    closer: &'a Closer,
    began: SystemTime,
    /// Progress of order-create, read before the rows of orders that seemed to have none.
    /// Order-create moves it in the transaction that stores the rows, so an order that it has
    /// passed and that has no row never gets one.
    progress: Vec<Progress>,
    /// Orders behind which order-create has passed a barrier. Read before those rows as well.
    behind_barriers: HashSet<(OrderNumber, Nonce)>,
    counts: ClosingCounts,
    summary: LogSummary,
    /// Entries to acknowledge once the gate is settled by their rows.
    to_settle: Vec<(Claim, OrderRow)>,
    /// Of these, the orders that this batch closed.
    closed: HashSet<OrderNumber>,
    /// Lists the closed orders for the sweep until the gate is settled by them.
    unsettled: Vec<UnsettledBatch>,
    to_acknowledge: Vec<Claim>,
    to_postpone: Vec<(Claim, RetryDelay)>,
    /// Accepted orders for which a barrier is requested.
    barriers: Vec<BarrierWait>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(closer: &'a Closer) -> Self {
        Self {
            closer,
            began: SystemTime::now(),
            progress: Vec::new(),
            behind_barriers: HashSet::new(),
            counts: ClosingCounts::default(),
            summary: LogSummary::default(),
            to_settle: Vec::new(),
            closed: HashSet::new(),
            unsettled: Vec::new(),
            to_acknowledge: Vec::new(),
            to_postpone: Vec::new(),
            barriers: Vec::new(),
        }
    }

    /// Handles every entry. An entry that fails is logged and left to its lease.
    pub(super) async fn run(
        mut self,
        claims: Vec<Claim>,
        counts: &mut ClosingCounts,
    ) -> Result<(), JobError> {
        let mut entries = HashMap::with_capacity(claims.len());
        for claim in claims {
            match identify(&self.closer.gate, &claim).await {
                Ok(Some(at)) => drop(entries.insert(at.order, (claim, at))),
                // Neither the entry nor a reservation names an order. If there is a row, the sweep
                // closes it.
                Ok(None) => self.to_acknowledge.push(claim),
                Err(error) => self.fail(&claim.id, &error),
            }
        }
        let orders = entries.values().map(|(_, at)| (at.order, at.nonce));
        for closing in self.decisions(orders.collect()).await? {
            if let Some((claim, at)) = entries.remove(&closing.number) {
                let id = claim.id.clone();
                if let Err(error) = self.handle(claim, at, closing).await {
                    self.fail(&id, &error);
                }
            }
        }
        self.counts.failed += entries.len() as u64;
        let finished = self.finish().await;
        self.summary.log();
        finished.map(|()| counts.add(self.counts))
    }

    /// Closes overdue orders and decides about each. Orders missing from the answer have failed.
    async fn decisions(
        &mut self,
        orders: Vec<(OrderNumber, Nonce)>,
    ) -> Result<Vec<Closing>, StoreError> {
        let mut decisions = self.close(orders).await?;
        let without_row = |closing: &Closing| closing.decision == CloseDecision::NoRow;
        let missing = decisions.extract_if(.., |closing| without_row(closing));
        let missing: Vec<_> = missing
            .map(|closing| (closing.number, closing.nonce))
            .collect();
        // Rarely. What order-create has passed counts only if the row is looked for afterwards.
        if !missing.is_empty() {
            match self.decisions_without_row(missing).await {
                Ok(late) => decisions.extend(late),
                // The closed orders are settled all the same.
                Err(error) => {
                    tracing::warn!(%error, "orders without a row are left to their leases");
                }
            }
        }
        Ok(decisions)
    }

    /// Reads how far order-create has come, then closes orders that seemed to have no row.
    async fn decisions_without_row(
        &mut self,
        orders: Vec<(OrderNumber, Nonce)>,
    ) -> Result<Vec<Closing>, StoreError> {
        let store = &self.closer.store;
        let numbers: Vec<OrderNumber> = orders.iter().map(|(number, _)| *number).collect();
        self.progress = store.progress(&self.closer.settings.topic).await?;
        self.behind_barriers = store.behind_barriers(&numbers).await?;
        self.close(orders).await
    }

    /// Closes overdue orders in one statement. If that fails, one by one, so that one bad row does
    /// not block the others. Orders missing from the answer have failed.
    ///
    /// # Errors
    /// Postgres is unavailable.
    async fn close(
        &mut self,
        orders: Vec<(OrderNumber, Nonce)>,
    ) -> Result<Vec<Closing>, StoreError> {
        if orders.is_empty() {
            return Ok(Vec::new());
        }
        match self.closer.store.close_due(&orders).await {
            Ok(closed) => {
                self.unsettled.extend(closed.unsettled);
                return Ok(closed.decisions);
            }
            Err(error) if error.class == ErrorClass::Unavailable => return Err(error),
            Err(error) => {
                tracing::warn!(
                    %error, orders = orders.len(),
                    "orders not closed together; closing them one by one"
                );
            }
        }
        let mut decisions = Vec::with_capacity(orders.len());
        for order in orders {
            match self.closer.store.close_due(&[order]).await {
                Ok(one) => {
                    self.unsettled.extend(one.unsettled);
                    decisions.extend(one.decisions);
                }
                Err(error) => {
                    self.summary.failed(&order.0.to_string(), &error);
                    if error.class == ErrorClass::Unavailable {
                        // Each of the others would wait as long. Those closed so far are settled.
                        break;
                    }
                }
            }
        }
        Ok(decisions)
    }

    fn fail(&mut self, id: &str, error: &dyn std::fmt::Display) {
        self.summary.failed(id, error);
        self.counts.failed += 1;
    }

    /// `why`: which other process must act first.
    fn postpone(&mut self, claim: Claim, delay: RetryDelay, why: Option<&'static str>) {
        if let Some(why) = why {
            self.summary.postponed(&claim.id, why);
        }
        if delay == RetryDelay::Backoff {
            let waited_ms = RetryDelay::waited_ms(claim.attempt);
            self.counts.oldest_put_off_ms = self.counts.oldest_put_off_ms.max(waited_ms);
        }
        self.to_postpone.push((claim, delay));
    }

    /// Decides about one entry, looking up what [`after_claim`] requests.
    async fn handle(
        &mut self,
        claim: Claim,
        at: OrderAt,
        closing: Closing,
    ) -> Result<(), JobError> {
        let gate = &self.closer.gate;
        let store = &self.closer.store;
        let mut evidence = Evidence {
            passed_barrier: self.behind_barriers.contains(&(at.order, at.nonce)),
            ..Evidence::default()
        };
        loop {
            match after_claim(closing.decision, evidence, &self.progress) {
                CloseAction::Abandon => evidence.gate = Some(gate.abandon(at).await?),
                CloseAction::LookForReplay { partition, offset } => {
                    let topic = &self.closer.settings.topic;
                    let replay = store.is_replay_pending(topic, partition, offset).await?;
                    evidence.replay = Some(replay);
                }
                CloseAction::SettleRow => {
                    if closing.decision == CloseDecision::Closed {
                        self.counts.closed += 1;
                        self.closed.insert(at.order);
                    }
                    if let Some(row) = closing.row {
                        self.to_settle.push((claim, row));
                    }
                    return Ok(());
                }
                CloseAction::MatchPayment => {
                    let paid = store.match_payments(&[at.order]).await?;
                    match paid.into_iter().find(|row| row.number == at.order) {
                        Some(row) => self.to_settle.push((claim, row)),
                        None => self.to_postpone.push((claim, RetryDelay::Ms(0))),
                    }
                    return Ok(());
                }
                CloseAction::Postpone { delay, why } => {
                    self.postpone(claim, delay, why);
                    return Ok(());
                }
                CloseAction::AwaitBarrier { partition } => {
                    self.barriers.push(BarrierWait {
                        number: at.order,
                        nonce: at.nonce,
                        partition,
                    });
                    let why = "order-create is behind, or the order's record is lost";
                    self.postpone(claim, RetryDelay::Backoff, Some(why));
                    return Ok(());
                }
                CloseAction::Fence { reason, alarm } => {
                    if alarm {
                        self.summary.fenced(&claim.id, reason);
                    }
                    return self.fence(claim, at, reason).await;
                }
                CloseAction::Release => return self.release(claim, at).await,
            }
        }
    }

    /// Fences the order in a transaction. The row found or inserted there decides.
    async fn fence(
        &mut self,
        claim: Claim,
        at: OrderAt,
        reason: &'static str,
    ) -> Result<(), JobError> {
        if removed(Protection::Fence) {
            return self.release(claim, at).await;
        }
        let mut fence = Fence::of_number(at.order, at.nonce, at.program.id, reason);
        let reservation = self.closer.gate.reservation(at.order).await?;
        if let Some(reservation) = reservation.filter(|r| r.nonce == at.nonce) {
            fence.user = Some(reservation.user);
            fence.category = Some(reservation.category);
            fence.seats = reservation.seats;
            fence.key = reservation.key;
        }
        let fenced = self.closer.store.fence(&fence).await?;
        if fenced.row().nonce != at.nonce {
            return self.release(claim, at).await;
        }
        self.counts.fenced += u64::from(matches!(fenced, Fenced::New(_)));
        self.to_settle.push((claim, fenced.row().clone()));
        Ok(())
    }

    /// Frees the seats of a reservation that can never have a row.
    async fn release(&mut self, claim: Claim, at: OrderAt) -> Result<(), JobError> {
        match self.closer.gate.settle(&Settle::gone(at)).await? {
            Settled::Done { .. } | Settled::Tombstoned => self.to_acknowledge.push(claim),
            Settled::SeatsUnknown | Settled::NoSuchSeat | Settled::NotInstalled => {
                self.to_postpone.push((claim, RetryDelay::Backoff));
            }
        }
        Ok(())
    }

    /// Records a span for each closed order, also if the gate could not be settled.
    fn trace(&self, rows: &[OrderRow], settled: &Result<Reconciled, StoreError>) {
        let errors: HashMap<OrderNumber, String> = match settled {
            Ok(report) => {
                let failed = report.failed.iter();
                let failed = failed.map(|(order, error)| (*order, error.to_string()));
                failed.collect()
            }
            Err(error) => {
                let failed = rows.iter().map(|row| (row.number, error.to_string()));
                failed.collect()
            }
        };
        let error = |number| errors.get(&number).map(String::as_str);
        let closed = rows.iter().filter(|row| self.closed.contains(&row.number));
        self.closer
            .record_closings(closed, ClosedBy::Entry, self.began, error);
    }

    /// Settles the gate by the rows, then acknowledges or postpones the entries. The settle script
    /// has removed or moved most of them already; the queue refuses a late acknowledgement, which
    /// is harmless.
    async fn finish(&mut self) -> Result<(), JobError> {
        let gate = &self.closer.gate;
        let store = &self.closer.store;
        let topic = &self.closer.settings.topic;
        store.request_barriers(topic, &self.barriers).await?;
        let rows: Vec<OrderRow> = self.to_settle.iter().map(|(_, row)| row.clone()).collect();
        let settled = reconcile_batches(gate, store, &rows, &self.unsettled).await;
        self.trace(&rows, &settled);
        let report = settled?;
        let failed: HashSet<OrderNumber> = report.failed.iter().map(|(order, _)| *order).collect();
        let waiting: HashSet<OrderNumber> = report.waiting.iter().copied().collect();
        for (claim, row) in std::mem::take(&mut self.to_settle) {
            if failed.contains(&row.number) {
                self.counts.failed += 1;
            } else if waiting.contains(&row.number) {
                self.to_postpone.push((claim, RetryDelay::Backoff));
            } else {
                self.to_acknowledge.push(claim);
            }
        }
        let queue = gate.timeouts();
        self.counts.acknowledged += queue.ack_many(&self.to_acknowledge).await?.len() as u64;
        let mut delays = HashMap::with_capacity(self.to_postpone.len());
        for (claim, delay) in &self.to_postpone {
            delays.insert(claim.id.clone(), *delay);
        }
        let delay = |claim: &Claim| {
            let delay = delays.get(&claim.id).unwrap_or(&RetryDelay::Backoff);
            delay.ms(claim.attempt)
        };
        let postponed: Vec<Claim> = self.to_postpone.drain(..).map(|(claim, _)| claim).collect();
        self.counts.put_off += queue.retry_many(&postponed, delay).await?.len() as u64;
        Ok(())
    }
}

/// The order of an entry. If the body cannot be read, the reservation names the program.
async fn identify(gate: &Gate, claim: &Claim) -> Result<Option<OrderAt>, GateError> {
    let number = claim.id.parse::<OrderNumber>().ok();
    let Some(order) = number.filter(|order| order.shard() == claim.shard.into()) else {
        tracing::error!(
            alarm = "entry_of_no_order", id = claim.id, shard = %claim.shard,
            "a timeout entry belongs to no order; it is removed"
        );
        return Ok(None);
    };
    let shard = claim.shard.into();
    let at = |id, nonce| OrderAt {
        order,
        nonce,
        program: ProgramRef { id, shard },
    };
    if let Ok(job) = TimeoutJob::parse(&claim.body) {
        return Ok(Some(at(job.program, job.nonce)));
    }
    tracing::error!(
        alarm = "entry_unreadable", %order, body = claim.body,
        "the body of a timeout entry cannot be read; the reservation is used instead"
    );
    let reservation = gate.reservation(order).await?;
    Ok(reservation.map(|r| at(r.program, r.nonce)))
}
