//! Compares buyers' ticket counts with the orders that they count. A Redis that was restored from
//! an older copy may count orders that have ended since, and so exhaust a buyer's limit.
//!
//! Scans the keys of Redis, a bounded number per sweep, from the position stored in Postgres. The
//! seat map auditor finds the opposite error: live orders that are not counted.
//!
//! An order counts towards its buyer's limit from its reservation on. So the scan also comes across
//! the orders that have no row yet; of these the job reports the accepted ones, which order-create
//! has still to store.

use std::collections::{BTreeSet, HashMap};

use shared::gate::{BuyerTickets, ReservationState, TicketCount};
use shared::message::OrderNumber;
use shared::steps::wrong_count;
use shared::store::OrderRow;

use super::{JobError, Sweep};
use crate::closer::Closer;
use crate::report::SweepReport;

/// Name of this round's position in Postgres.
const ROUND: &str = "tickets";
/// Steps of a sweep, of about 250 keys each.
const STEPS: u32 = 200;
/// Maximum orders per look-up.
const PAGE: usize = 5_000;
/// Maximum reservations per sweep of orders without a row. More of them change no alarm.
const MAX_UNSTORED: usize = 2_000;

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let mut from = closer
        .round_position(ROUND, |text| text.parse().ok())
        .await?;
    let mut mended = 0;
    let mut unstored = BTreeSet::new();
    for _ in 0..STEPS {
        if sweep.is_over() {
            break;
        }
        let page = closer.gate.buyers(from).await?;
        mended += mend(closer, &page.buyers, &mut unstored).await?;
        from = page.next;
        if from == 0 {
            break;
        }
    }
    let next = from.to_string();
    closer.store.note_sweep_position(ROUND, &next).await?;
    if mended > 0 {
        tracing::warn!(
            orders = mended,
            "orders counted wrongly towards their buyers' limits; the counts are repaired"
        );
    }
    sweep.report.tickets += mended;
    report_accepted(closer, unstored, sweep.report).await
}

/// Counts the accepted ones of orders without a row, with the age of the oldest. A reservation that
/// cannot be read does not count: the due order closer reports it.
async fn report_accepted(
    closer: &Closer,
    unstored: BTreeSet<OrderNumber>,
    report: &mut SweepReport,
) -> Result<(), JobError> {
    // The oldest first.
    let orders: Vec<OrderNumber> = unstored.into_iter().take(MAX_UNSTORED).collect();
    if orders.is_empty() {
        return Ok(());
    }
    let now_ms = closer.gate.now_ms().await?;
    for (order, reservation) in orders.iter().zip(closer.gate.reservations(&orders).await?) {
        let state = reservation.ok().flatten().map(|found| found.state);
        if let Some(ReservationState::Accepted { .. }) = state {
            let age_ms = now_ms.saturating_sub(order.made_at_ms());
            report.accepted += 1;
            report.oldest_accepted_ms = report.oldest_accepted_ms.max(age_ms);
        }
    }
    Ok(())
}

/// Repairs counts, and adds the orders without a row to `unstored`.
async fn mend(
    closer: &Closer,
    buyers: &[BuyerTickets],
    unstored: &mut BTreeSet<OrderNumber>,
) -> Result<u64, JobError> {
    let counts = buyers.iter().flat_map(|buyer| &buyer.counts);
    let numbers: BTreeSet<_> = counts.filter_map(|(order, _)| order.parse().ok()).collect();
    let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
    let mut rows = HashMap::with_capacity(numbers.len());
    for page in numbers.chunks(PAGE) {
        let page = closer.store.orders(page).await?;
        rows.extend(page.into_iter().map(|row| (row.number, row)));
    }
    unstored.extend(numbers.iter().filter(|number| !rows.contains_key(number)));
    let mut mended = 0;
    for buyer in buyers {
        let wrong = wrong(buyer, &rows);
        if !wrong.is_empty() {
            let repaired = closer
                .gate
                .repair_tickets(buyer.program, &buyer.user, &wrong);
            mended += u64::from(repaired.await?);
        }
    }
    Ok(mended)
}

/// The counts of a buyer that contradict the rows.
fn wrong(buyer: &BuyerTickets, rows: &HashMap<OrderNumber, OrderRow>) -> Vec<TicketCount> {
    let counts = buyer.counts.iter().filter_map(|(order, seen)| {
        let row = order
            .parse()
            .ok()
            .and_then(|number| rows.get::<OrderNumber>(&number));
        wrong_count(buyer.program.id, &buyer.user, order, Some(seen), row)
    });
    counts.collect()
}
