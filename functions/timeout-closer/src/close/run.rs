//! Carries decisions out, for a batch of claimed entries.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use delay_queue::{Claim, LinkError};
use shared::gate::{Gate, GateError, OrderAt, ProgramRef, Settle, SettleTo, Settled, TimeoutJob};
use shared::message::{Nonce, OrderNumber};
use shared::reconcile::{Reconciled, reconcile};
use shared::store::{
    BarrierWait, CloseDecision, Closing, Fence, Fenced, OrderRow, Progress, Store, StoreError,
};
use shared::telemetry::traces::Tracer;

use super::decide::{Action, Found, decide};
use super::notes::Notes;
use super::wait::Wait;
use crate::traces::{self, Way};

/// Counts of one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcome {
    /// Orders closed because their time was up.
    pub closed: u64,
    /// Orders fenced.
    pub fenced: u64,
    /// Entries ended.
    pub acknowledged: u64,
    /// Entries put off.
    pub put_off: u64,
    /// Entries left to their lease: something failed.
    pub failed: u64,
}

/// Why a whole batch was left to its leases.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Postgres is away.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Redis is away.
    #[error(transparent)]
    Gate(#[from] GateError),
}

/// One claimed entry and the order it is of.
struct Entry {
    claim: Claim,
    at: OrderAt,
}

/// The batch at work: what was found out, and what is to become of each entry.
struct Batch<'a> {
    gate: &'a Gate,
    store: &'a Store,
    tracer: &'a Tracer,
    topic: &'a str,
    began: SystemTime,
    progress: Vec<Progress>,
    outcome: Outcome,
    /// To be settled by their rows, then ended.
    settle: Vec<(Claim, OrderRow)>,
    /// Of these, the orders that were closed just now.
    closed: HashSet<OrderNumber>,
    /// To be ended.
    done: Vec<Claim>,
    /// To be put off, ms.
    put_off: HashMap<String, u64>,
    waiting: Vec<Claim>,
    notes: Notes,
    /// Orders with a passed barrier behind them. Read before any row as well, for the same reason as `progress`.
    passed: HashSet<(OrderNumber, Nonce)>,
    /// Accepted orders that a barrier is requested for.
    barriers: Vec<BarrierWait>,
}

/// Deals with every entry. One that fails is left to its lease, and says so; the others go on.
pub async fn run(
    gate: &Gate,
    store: &Store,
    tracer: &Tracer,
    topic: &str,
    claims: Vec<Claim>,
) -> Result<Outcome, RunError> {
    let mut batch = Batch {
        gate,
        store,
        tracer,
        topic,
        began: SystemTime::now(),
        // Before any row is looked for: create moves it in the transaction that stores, so what it has passed and is no row, never will be.
        progress: store.progress(topic).await?,
        outcome: Outcome::default(),
        settle: Vec::new(),
        closed: HashSet::new(),
        done: Vec::new(),
        put_off: HashMap::new(),
        waiting: Vec::new(),
        notes: Notes::default(),
        passed: HashSet::new(),
        barriers: Vec::new(),
    };
    let mut entries: HashMap<OrderNumber, Entry> = HashMap::with_capacity(claims.len());
    for claim in claims {
        match identify(gate, &claim).await {
            Ok(Some(at)) => drop(entries.insert(at.order, Entry { claim, at })),
            // Neither the entry nor a reservation knows an order. Should there be a row, the sweep closes it.
            Ok(None) => batch.done.push(claim),
            Err(error) => batch.fail(&claim.id, &error),
        }
    }
    let numbers: Vec<OrderNumber> = entries.keys().copied().collect();
    batch.passed = store.behind_barriers(&numbers).await?;
    for closing in batch
        .close(entries.values().map(|e| (e.at.order, e.at.nonce)).collect())
        .await
    {
        if let Some(entry) = entries.remove(&closing.number) {
            let id = entry.claim.id.clone();
            if let Err(error) = batch.one(entry, closing).await {
                batch.fail(&id, &error);
            }
        }
    }
    batch.outcome.failed += entries.len() as u64;
    let ended = batch.finish().await;
    batch.notes.log();
    ended
}

/// The order of an entry. A body that cannot be read is made up for by the reservation.
async fn identify(gate: &Gate, claim: &Claim) -> Result<Option<OrderAt>, GateError> {
    let Some(order) = claim
        .id
        .parse::<OrderNumber>()
        .ok()
        .filter(|order| order.shard() == claim.shard.into())
    else {
        tracing::error!(alarm = "entry_of_no_order", id = claim.id, shard = %claim.shard, "a timeout entry of no order; ended");
        return Ok(None);
    };
    let at = |id, nonce: Nonce| OrderAt {
        order,
        nonce,
        program: ProgramRef {
            id,
            shard: claim.shard.into(),
        },
    };
    if let Ok(job) = TimeoutJob::parse(&claim.body) {
        return Ok(Some(at(job.program, job.nonce)));
    }
    tracing::error!(alarm = "entry_unreadable", %order, body = claim.body, "a timeout entry that cannot be read");
    Ok(gate
        .reservation(order)
        .await?
        .map(|r| at(r.program, r.nonce)))
}

impl Batch<'_> {
    /// Transaction A, for all at once; where that fails, one by one: a bad row must not hold up the others. Orders without an answer
    /// have failed.
    async fn close(&mut self, orders: Vec<(OrderNumber, Nonce)>) -> Vec<Closing> {
        if orders.is_empty() {
            return Vec::new();
        }
        match self.store.close_due(&orders).await {
            Ok(closed) => return closed,
            Err(error) => {
                tracing::warn!(%error, orders = orders.len(), "not closed together; one by one");
            }
        }
        let mut closed = Vec::with_capacity(orders.len());
        for order in orders {
            match self.store.close_due(&[order]).await {
                Ok(one) => closed.extend(one),
                Err(error) => self.notes.failed(&order.0.to_string(), &error),
            }
        }
        closed
    }

    fn fail(&mut self, id: &str, error: &dyn std::fmt::Display) {
        self.notes.failed(id, error);
        self.outcome.failed += 1;
    }

    /// Decides about one entry until nothing more is to be asked, and does what only concerns this one.
    async fn one(&mut self, entry: Entry, closing: Closing) -> Result<(), RunError> {
        let Entry { claim, at } = entry;
        let mut found = Found {
            passed_barrier: self.passed.contains(&(at.order, at.nonce)),
            ..Found::default()
        };
        loop {
            match decide(closing.decision, found, &self.progress) {
                Action::Abandon => found.gate = Some(self.gate.abandon(at, None).await?),
                Action::LookForReplay { partition, offset } => {
                    found.replay = Some(
                        self.store
                            .is_replay_on_its_way(self.topic, partition, offset)
                            .await?,
                    );
                }
                Action::SettleRow => {
                    if closing.decision == CloseDecision::Closed {
                        self.outcome.closed += 1;
                        self.closed.insert(at.order);
                    }
                    if let Some(row) = closing.row {
                        self.settle.push((claim, row));
                    }
                    return Ok(());
                }
                Action::MatchPayment => {
                    match self
                        .store
                        .match_payments(&[at.order])
                        .await?
                        .into_iter()
                        .find(|row| row.number == at.order)
                    {
                        Some(row) => self.settle.push((claim, row)),
                        None => self.put_off(claim, Wait::Ms(0)),
                    }
                    return Ok(());
                }
                Action::PutOff { wait, why } => {
                    if let Some(why) = why {
                        self.notes.put_off(&claim.id, why);
                    }
                    self.put_off(claim, wait);
                    return Ok(());
                }
                Action::AwaitBarrier { partition } => {
                    self.notes.put_off(
                        &claim.id,
                        "order-create is behind, or the order's record is lost",
                    );
                    self.barriers.push(BarrierWait {
                        number: at.order,
                        nonce: at.nonce,
                        partition,
                    });
                    self.put_off(claim, Wait::Backoff);
                    return Ok(());
                }
                Action::Fence { reason, alarm } => {
                    if alarm {
                        self.notes.fenced(&claim.id, reason);
                    }
                    return self.fence(claim, at, reason).await;
                }
                Action::Release => return self.release(claim, at).await,
            }
        }
    }

    /// Transaction B. The row that it finds or makes decides.
    async fn fence(
        &mut self,
        claim: Claim,
        at: OrderAt,
        reason: &'static str,
    ) -> Result<(), RunError> {
        let known = self
            .gate
            .reservation(at.order)
            .await?
            .filter(|r| r.nonce == at.nonce);
        let fence = Fence {
            number: at.order,
            nonce: at.nonce,
            user: known.as_ref().map(|r| r.user.clone()),
            program: Some(at.program.id),
            category: known.as_ref().map(|r| r.category),
            seats: known.as_ref().map(|r| r.seats.clone()).unwrap_or_default(),
            key: known.and_then(|r| r.key),
            reason,
        };
        let fenced = self.store.fence(&fence).await?;
        if fenced.row().nonce != at.nonce {
            return self.release(claim, at).await;
        }
        self.outcome.fenced += u64::from(matches!(fenced, Fenced::New(_)));
        self.settle.push((claim, fenced.row().clone()));
        Ok(())
    }

    /// Frees what a reservation holds that can have no row of its own.
    async fn release(&mut self, claim: Claim, at: OrderAt) -> Result<(), RunError> {
        let settle = Settle {
            at,
            user: None,
            key: None,
            seats: None,
            to: SettleTo::Gone { forget_key: true },
        };
        match self.gate.settle(&settle).await? {
            Settled::Done { .. } | Settled::Tombstoned => self.done.push(claim),
            Settled::SeatsUnknown | Settled::NoSuchSeat | Settled::NotInstalled => {
                self.put_off(claim, Wait::Backoff);
            }
        }
        Ok(())
    }

    fn put_off(&mut self, claim: Claim, wait: Wait) {
        self.put_off
            .insert(claim.id.clone(), wait.pause_ms(claim.attempt));
        self.waiting.push(claim);
    }

    /// A span for each order that was closed, whether or not the gate could be told.
    fn trace(&self, rows: &[OrderRow], told: &Result<Reconciled, StoreError>) {
        if !self.tracer.is_on() {
            return;
        }
        let untold: HashMap<OrderNumber, String> = match told {
            Ok(report) => report
                .failed
                .iter()
                .map(|(order, error)| (*order, error.to_string()))
                .collect(),
            Err(error) => rows
                .iter()
                .map(|row| (row.number, error.to_string()))
                .collect(),
        };
        let took = (self.began, SystemTime::now());
        let span = |row: &OrderRow| {
            let why = untold.get(&row.number).map(String::as_str);
            traces::closed(row, Way::Entry, why, took, |traceparent| {
                self.tracer.place(traceparent)
            })
        };
        self.tracer.record(
            rows.iter()
                .filter(|row| self.closed.contains(&row.number))
                .filter_map(span),
        );
    }

    /// Settles by the rows, then ends or puts off the entries. Settling has ended or moved most of them already: a late
    /// acknowledgement is refused, which is as good.
    async fn finish(&mut self) -> Result<Outcome, RunError> {
        self.store
            .request_barriers(self.topic, &self.barriers)
            .await?;
        let rows: Vec<OrderRow> = self.settle.iter().map(|(_, row)| row.clone()).collect();
        let told = reconcile(self.gate, self.store, &rows).await;
        self.trace(&rows, &told);
        let report = told?;
        let failed: HashSet<OrderNumber> = report.failed.iter().map(|(order, _)| *order).collect();
        let waiting: HashSet<OrderNumber> = report.waiting.iter().copied().collect();
        for (claim, row) in std::mem::take(&mut self.settle) {
            if failed.contains(&row.number) {
                self.outcome.failed += 1;
            } else if waiting.contains(&row.number) {
                self.put_off(claim, Wait::Backoff);
            } else {
                self.done.push(claim);
            }
        }
        let queue = self.gate.timeouts();
        let ended = |n: Result<Vec<_>, LinkError>| n.map(|answers| answers.len() as u64);
        self.outcome.acknowledged += ended(queue.ack_many(&self.done).await)?;
        let pauses = &self.put_off;
        let pause = |claim: &Claim| {
            pauses
                .get(&claim.id)
                .copied()
                .unwrap_or_else(|| Wait::Backoff.pause_ms(claim.attempt))
        };
        self.outcome.put_off += ended(queue.retry_many(&self.waiting, pause).await)?;
        Ok(self.outcome)
    }
}
