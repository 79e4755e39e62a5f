//! Orders of one program in the gate, as storefront and order-create make and settle them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use shared::gate::{
    Accepted, Epoch, FillBegun, FillClaim, FillStart, Gate, HoldRequest, OrderAt, ProgramRef,
    Reserved, SETTLE_GROUP, Settle, SettleTo, Settled,
};
use shared::message::{
    BodyHash, CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, ProgramId, ProgramVersion,
    SeatIndex, Shard, UserId,
};
use shared::naming::Names;
use shared::sale::{Category, Layout, Program, ProgramStatus, SeatSelection};
use tokio::task::JoinSet;

/// Seats of an order.
pub(super) const SEATS_OF_ORDER: u32 = 2;
/// Clients of the gate, on one connection.
pub(super) const CLIENTS: u32 = 32;
/// Orders of each buyer.
pub(super) const ORDERS_OF_BUYER: u32 = 3;

/// Seats of a row.
const ROW: u32 = 500;
const PAY_WINDOW_MS: u64 = 900_000;
const LEASE_MS: u64 = 60_000;

/// An open program and a gate.
pub(super) struct Sale {
    gate: Gate,
    program: Arc<Program>,
    started_ms: u64,
}

/// A reserved order.
#[derive(Clone)]
pub(super) struct Sold {
    n: u32,
    at: OrderAt,
    seats: Vec<SeatIndex>,
}

impl Sale {
    pub(super) async fn open(url: &str, seats: u32) -> Result<Self> {
        let names = Names::new("bench-gate").map_err(|e| anyhow::anyhow!("{e}"))?;
        let gate = Gate::connect(url, names, Duration::from_secs(10))?;
        let hall = Category {
            no: CategoryNo::new(0)?,
            name: "All".to_owned(),
            layout: Layout::new(SeatIndex::new(0)?, seats / ROW, ROW)?,
            price: Cents::new(4_200)?,
        };
        let program = Program {
            id: ProgramId::new(17)?,
            shard: Shard::new(9)?,
            title: "Bench".to_owned(),
            version: ProgramVersion::FIRST,
            status: ProgramStatus::OnSale,
            pay_window_ms: PAY_WINDOW_MS.try_into()?,
            user_limit: SEATS_OF_ORDER * ORDERS_OF_BUYER,
            admissions_per_second: None,
            categories: vec![hall],
        };
        let loader = Epoch::new(rand::random());
        let at = ProgramRef::from(&program);
        let FillClaim::Granted(grant) = gate.install_claim(at, &loader, LEASE_MS).await? else {
            anyhow::bail!("another process fills the program");
        };
        let start = FillStart {
            grant: &grant,
            ends: "{}",
        };
        let begun = gate
            .install_begin(&program, Some(start), &loader, LEASE_MS)
            .await?;
        ensure!(matches!(begun, FillBegun::Mine { .. }), "{begun:?}");
        ensure!(gate.install_open(at, &loader).await?, "the gate is closed");
        Ok(Self {
            gate,
            program: Arc::new(program),
            started_ms: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64,
        })
    }

    /// Reserves until no seat is free.
    pub(super) async fn sell_out(&self) -> Result<Vec<Sold>> {
        let next = Arc::new(AtomicU32::new(0));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            let (gate, program) = (self.gate.clone(), self.program.clone());
            let (next, started_ms) = (next.clone(), self.started_ms);
            clients.spawn(async move {
                let mut sold = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let (at, request) = request(&program, n, started_ms)?;
                    match gate.reserve(&request).await? {
                        Reserved::Held { seats, .. } => sold.push(Sold { n, at, seats }),
                        Reserved::SoldOut => return Ok::<_, anyhow::Error>(sold),
                        other => anyhow::bail!("order {n}: {other:?}"),
                    }
                }
            });
        }
        let mut sold = Vec::new();
        while let Some(some) = clients.join_next().await {
            sold.extend(some??);
        }
        sold.sort_by_key(|order| order.n);
        Ok(sold)
    }

    /// Accepts orders, one a call.
    pub(super) async fn accept(&self, sold: &[Sold]) -> Result<()> {
        let mut clients = JoinSet::new();
        for part in sold.chunks(sold.len().div_ceil(CLIENTS as usize)) {
            let (gate, part) = (self.gate.clone(), part.to_vec());
            let appended_ms = self.started_ms as i64;
            clients.spawn(async move {
                for order in part {
                    let offset = i64::from(order.n);
                    let accepted = gate
                        .accept(order.at, 3, offset, appended_ms, PAY_WINDOW_MS)
                        .await?;
                    ensure!(accepted == Accepted::Yes, "{accepted:?}");
                }
                Ok(())
            });
        }
        while let Some(done) = clients.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Settles the rows of orders as order-create does after storing them, one call at a time.
    pub(super) async fn settle(&self, sold: &[Sold]) -> Result<()> {
        for part in sold.chunks(SETTLE_GROUP) {
            let rows = part.iter().map(row).collect::<Result<Vec<_>>>()?;
            for settled in self.gate.settle_all(&rows).await {
                let settled = settled?;
                ensure!(matches!(settled, Settled::Done { .. }), "{settled:?}");
            }
        }
        Ok(())
    }
}

fn buyer(n: u32) -> Result<UserId> {
    Ok(UserId::new(format!("buyer-{}", n / ORDERS_OF_BUYER))?)
}

/// The row of a stored order.
fn row(order: &Sold) -> Result<Settle> {
    Ok(Settle {
        at: order.at,
        user: Some(buyer(order.n)?),
        key: None,
        seats: Some((CategoryNo::new(0)?, order.seats.clone())),
        to: SettleTo::Live {
            due_in_ms: Some(PAY_WINDOW_MS),
        },
    })
}

/// The request of order `n`, with as long words as storefront's.
fn request(program: &Program, n: u32, started_ms: u64) -> Result<(OrderAt, HoldRequest)> {
    // The low bits of a number are random; here they count.
    let at = OrderAt {
        order: OrderNumber::compose(
            started_ms + u64::from(n >> 16),
            program.shard,
            (n & 0xffff) as u16,
        )?,
        nonce: Nonce::new(rand::random()),
        program: ProgramRef::from(program),
    };
    let user = buyer(n)?;
    let key = format!("{:032x}", rand::random::<u128>());
    let mut hash = [0; 32];
    hash[28..].copy_from_slice(&n.to_be_bytes());
    let trace = format!(
        "00-{:032x}-{:016x}-01",
        rand::random::<u128>(),
        rand::random::<u64>()
    );
    let request = HoldRequest {
        program: at.program,
        order: at.order,
        nonce: at.nonce,
        user,
        want: SeatSelection::best(CategoryNo::new(0)?, SEATS_OF_ORDER).context("a selection")?,
        unit_price: Cents::new(4_200)?,
        user_limit: program.user_limit,
        idempotency: Some((IdempotencyKey::new(key)?, BodyHash::new(hash))),
        publish_window_ms: 30_000,
        idem_ttl_ms: PAY_WINDOW_MS + 86_400_000,
        pay_by_ms: (started_ms + PAY_WINDOW_MS) as i64,
        trace: Some(trace),
    };
    Ok((at, request))
}
