//! Compares buyers' ticket counts with the orders that they count. A Redis that was restored from
//! an older copy may count orders that have ended since, and so exhaust a buyer's limit.
//!
//! Scans the keys of Redis, a bounded number per sweep, from the position stored in Postgres. The
//! seat map auditor finds the opposite error: live orders that are not counted.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use shared::gate::{BuyerTickets, StoredTickets, TicketCount};
use shared::message::OrderNumber;
use shared::store::OrderRow;

use super::JobError;
use crate::closer::Closer;
use crate::report::SweepReport;

/// Name of this round's position in Postgres.
const ROUND: &str = "tickets";
/// Steps of a sweep, of about a thousand keys each.
const STEPS: u32 = 50;
/// Maximum orders per look-up.
const PAGE: usize = 5_000;

pub(super) async fn run(
    closer: &Closer,
    until: Instant,
    report: &mut SweepReport,
) -> Result<(), JobError> {
    let noted = closer.store.sweep_position(ROUND).await?;
    // A position that cannot be read starts the round again.
    let mut from: u64 = noted
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let mut mended = 0;
    for _ in 0..STEPS {
        if Instant::now() >= until {
            break;
        }
        let page = closer.gate.buyers(from).await?;
        mended += mend(closer, &page.buyers).await?;
        from = page.next;
        if from == 0 {
            break;
        }
    }
    closer
        .store
        .note_sweep_position(ROUND, &from.to_string())
        .await?;
    if mended > 0 {
        tracing::warn!(
            orders = mended,
            "orders counted wrongly towards their buyers' limits; the counts are repaired"
        );
    }
    report.tickets += mended;
    Ok(())
}

async fn mend(closer: &Closer, buyers: &[BuyerTickets]) -> Result<u64, JobError> {
    let numbers: BTreeSet<OrderNumber> = buyers
        .iter()
        .flat_map(|buyer| &buyer.counts)
        .filter_map(|(order, _)| order.parse().ok())
        .collect();
    let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
    let mut rows = HashMap::with_capacity(numbers.len());
    for page in numbers.chunks(PAGE) {
        rows.extend(
            closer
                .store
                .orders(page)
                .await?
                .into_iter()
                .map(|row| (row.number, row)),
        );
    }
    let mut mended = 0;
    for buyer in buyers {
        let wrong = wrong(buyer, &rows);
        if !wrong.is_empty() {
            mended += u64::from(
                closer
                    .gate
                    .repair_tickets(buyer.program, &buyer.user, &wrong)
                    .await?,
            );
        }
    }
    Ok(mended)
}

/// The counts of a buyer that contradict the rows. Reservations that are not stored yet are among
/// them; the script that repairs the counts skips these.
fn wrong(buyer: &BuyerTickets, rows: &HashMap<OrderNumber, OrderRow>) -> Vec<TicketCount> {
    let stored = |order: &str| {
        let Ok(number) = order.parse::<OrderNumber>() else {
            return StoredTickets::Ended;
        };
        let Some(row) = rows.get(&number) else {
            return StoredTickets::NoRow;
        };
        let counts = row.status.is_live()
            && row.program == Some(buyer.program.id)
            && row.user.as_ref() == Some(&buyer.user);
        if counts {
            StoredTickets::Live(row.seats.len() as u32)
        } else {
            StoredTickets::Ended
        }
    };
    let counts = buyer
        .counts
        .iter()
        .map(|(order, seen)| (order, seen, stored(order)));
    let differs = |seen: &str, stored| {
        !matches!(stored,
        StoredTickets::Live(seats) if seats.to_string() == seen)
    };
    let wrong = counts.filter(|(_, seen, stored)| differs(seen, *stored));
    wrong
        .map(|(order, seen, stored)| TicketCount {
            order: order.clone(),
            seen: Some(seen.clone()),
            stored,
        })
        .collect()
}
