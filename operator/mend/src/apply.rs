//! Runs the planned repairs, each through the step that the functions use.

use anyhow::{Context, Result, bail};
use delay_queue::{Due, NewEntry};
use shared::gate::{OrderAt, ProgramRef, Settle, Settled, TicketCount, TimeoutJob};
use shared::message::{CategoryNo, OrderNumber, ProgramId, UserId};
use shared::reconcile::reconcile;
use shared::steps::{CloseAction, Evidence, after_claim, stored_tickets};
use shared::store::{CloseDecision, Fence, OrderRow};
use timeout_closer::jobs::repair_chunk;

use crate::plan::{Action, Planned, Servers};

/// Delay of a new timeout entry, ms: as the sweep gives one.
const REARM_MS: u64 = 2_000;

/// A repair that failed. The others were made.
pub(crate) struct Failure {
    pub subject: String,
    pub error: String,
}

/// Runs each repair once, however many differences it ends.
pub(crate) async fn apply(servers: &Servers, planned: &[Planned]) -> Vec<Failure> {
    let mut planned: Vec<&Planned> = planned.iter().collect();
    planned.sort_by_key(|planned| planned.action.place());
    let mut made: Vec<&Action> = Vec::new();
    let mut failures = Vec::new();
    for Planned {
        number,
        subject,
        action,
        ..
    } in planned
    {
        if made.contains(&action) {
            continue;
        }
        made.push(action);
        if let Err(error) = servers.run(action).await {
            failures.push(Failure {
                subject: format!("{number} {subject}"),
                error: format!("{error:#}"),
            });
        }
    }
    failures
}

impl Servers {
    async fn run(&self, action: &Action) -> Result<()> {
        match action {
            Action::Fence(at) => self.fence(*at).await,
            Action::Settle(order) => self.settle(*order).await,
            Action::Release(at) => match self.gate.settle(&Settle::gone(*at)).await? {
                Settled::Done { .. } | Settled::Tombstoned => Ok(()),
                Settled::NotInstalled | Settled::NoSuchSeat | Settled::SeatsUnknown => {
                    bail!("the gate does not hold the program; it is filled first")
                }
            },
            Action::Rearm(at) => self.rearm(*at).await,
            Action::Chunk {
                program,
                category,
                chunk,
            } => self.chunk(*program, *category, *chunk).await,
            Action::Tickets {
                program,
                user,
                order,
            } => self.tickets(*program, user, *order).await,
        }
    }

    /// Settles the gate by the row, as the sweep does. A batch that lists the order becomes dirty
    /// rows first, unless the function that committed it may still be at work.
    async fn settle(&self, order: OrderNumber) -> Result<()> {
        let before = OrderNumber::new(order.get() - 1).ok();
        self.store.dirty(before, 1).await?;
        let rows = self.store.orders(&[order]).await?;
        let settled = reconcile(&self.gate, &self.store, &rows).await?;
        if let Some((_, error)) = settled.failed.into_iter().next() {
            return Err(error.into());
        }
        if !settled.waiting.is_empty() {
            bail!("the gate does not hold the program; it is filled first");
        }
        Ok(())
    }

    /// As timeout-closer decides about an entry of an order without a row: it is fenced only if the
    /// gate has given the order up.
    async fn fence(&self, at: OrderAt) -> Result<()> {
        let gate = Some(self.gate.abandon(at).await?);
        let evidence = Evidence {
            gate,
            ..Evidence::default()
        };
        let CloseAction::Fence { reason, .. } = after_claim(CloseDecision::NoRow, evidence, &[])
        else {
            return self.rearm(at).await;
        };
        // Only the seats that it has in the gate are left.
        let fence = Fence::of_number(at.order, at.nonce, at.program.id, reason);
        let fenced = self.store.fence(&fence).await?;
        let row: &OrderRow = fenced.row();
        if row.nonce == at.nonce {
            reconcile(&self.gate, &self.store, std::slice::from_ref(row)).await?;
        }
        Ok(())
    }

    async fn rearm(&self, at: OrderAt) -> Result<()> {
        let (program, nonce) = (at.program.id, at.nonce);
        let entry = NewEntry {
            shard: at.program.shard.into(),
            id: at.order.to_string(),
            body: TimeoutJob { program, nonce }.body(),
            due: Due::In(REARM_MS),
        };
        self.gate.timeouts().schedule_many(&[entry]).await?;
        Ok(())
    }

    async fn chunk(&self, id: ProgramId, category: CategoryNo, chunk: u32) -> Result<()> {
        let seats = self.store.program_seats(id).await?;
        let seats = seats.with_context(|| format!("there is no program {id}"))?;
        let category = seats
            .program
            .category(category)
            .with_context(|| format!("program {id} has no category {category}"))?;
        let is_open = repair_chunk(&self.gate, &self.store, &seats, category, chunk).await?;
        if !is_open {
            bail!("the program is not open in the gate; it is filled first");
        }
        Ok(())
    }

    async fn tickets(&self, at: ProgramRef, user: &UserId, order: OrderNumber) -> Result<()> {
        let row = self.store.order(order).await?;
        let mut seen = self.gate.tickets(at, &[(user, order)]).await?;
        let count = TicketCount {
            order: order.to_string(),
            seen: seen.pop().flatten(),
            stored: stored_tickets(at.id, user, row.as_ref()),
        };
        self.gate.repair_tickets(at, user, &[count]).await?;
        Ok(())
    }
}
