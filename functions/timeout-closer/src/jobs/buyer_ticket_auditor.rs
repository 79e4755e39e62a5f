//! Compares buyers' ticket counts with the orders that they count. A Redis that was restored from
//! an older copy may count orders that have ended since, and so exhaust a buyer's limit.
//!
//! Scans the keys of Redis, a bounded number per sweep, from the position stored in Postgres. The
//! seat map auditor finds the opposite error: live orders that are not counted.

use std::collections::{BTreeSet, HashMap};

use shared::gate::{BuyerTickets, TicketCount};
use shared::message::OrderNumber;
use shared::steps::wrong_count;
use shared::store::OrderRow;

use super::{JobError, Sweep};
use crate::closer::Closer;

/// Name of this round's position in Postgres.
const ROUND: &str = "tickets";
/// Steps of a sweep, of about 250 keys each.
const STEPS: u32 = 200;
/// Maximum orders per look-up.
const PAGE: usize = 5_000;

pub(super) async fn run(sweep: &mut Sweep<'_>) -> Result<(), JobError> {
    let closer = sweep.closer;
    let mut from = closer
        .round_position(ROUND, |text| text.parse().ok())
        .await?;
    let mut mended = 0;
    for _ in 0..STEPS {
        if sweep.is_over() {
            break;
        }
        let page = closer.gate.buyers(from).await?;
        mended += mend(closer, &page.buyers).await?;
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
    Ok(())
}

async fn mend(closer: &Closer, buyers: &[BuyerTickets]) -> Result<u64, JobError> {
    let counts = buyers.iter().flat_map(|buyer| &buyer.counts);
    let numbers: BTreeSet<_> = counts.filter_map(|(order, _)| order.parse().ok()).collect();
    let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
    let mut rows = HashMap::with_capacity(numbers.len());
    for page in numbers.chunks(PAGE) {
        let page = closer.store.orders(page).await?;
        rows.extend(page.into_iter().map(|row| (row.number, row)));
    }
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
