//! Buyers' tickets against the orders that they count: an older copy of Redis may count orders that have ended since, and lock a buyer out.
//!
//! Goes through the keys of Redis, a bounded number a sweep, and goes on where the last one stopped. Orders that are live and not counted are
//! found with their seats ([`super::chunk`]).

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use shared::gate::{BuyerTickets, Gate, StoredTickets, TicketCount};
use shared::message::OrderNumber;
use shared::store::{OrderRow, Store};

use super::{SweepError, Swept};

/// The name of this round's position in Postgres.
const ROUND: &str = "tickets";
/// Steps of a sweep, of about a thousand keys each.
const STEPS: u32 = 50;
/// Orders looked up at a time.
const PAGE: usize = 5_000;

/// One sweep over the buyers; no step is begun after `until`.
pub(super) async fn compare(
    gate: &Gate,
    store: &Store,
    until: Instant,
    swept: &mut Swept,
) -> Result<(), SweepError> {
    let noted = store.sweep_position(ROUND).await?;
    // Only a hint: the round begins again where it cannot be read.
    let mut from: u64 = noted
        .as_deref()
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    let mut mended = 0;
    for _ in 0..STEPS {
        if Instant::now() >= until {
            break;
        }
        let page = gate.buyers(from).await?;
        mended += mend(gate, store, &page.buyers).await?;
        from = page.next;
        if from == 0 {
            break;
        }
    }
    store.note_sweep_position(ROUND, &from.to_string()).await?;
    if mended > 0 {
        tracing::warn!(
            orders = mended,
            "counted towards their buyers' limits wrongly; mended"
        );
    }
    swept.tickets += mended;
    Ok(())
}

async fn mend(gate: &Gate, store: &Store, buyers: &[BuyerTickets]) -> Result<u64, SweepError> {
    let numbers: BTreeSet<OrderNumber> = buyers
        .iter()
        .flat_map(|buyer| &buyer.counts)
        .filter_map(|(order, _)| order.parse().ok())
        .collect();
    let numbers: Vec<OrderNumber> = numbers.into_iter().collect();
    let mut rows = HashMap::with_capacity(numbers.len());
    for page in numbers.chunks(PAGE) {
        rows.extend(
            store
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
                gate.mend_tickets(buyer.program, &buyer.user, &wrong)
                    .await?,
            );
        }
    }
    Ok(mended)
}

/// The counts of a buyer that are not what the rows say. Reservations in flight are among them: the step that mends leaves these alone.
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
    let differs = |seen: &str, stored| !matches!(stored, StoredTickets::Live(seats) if seats.to_string() == seen);
    let wrong = counts.filter(|(_, seen, stored)| differs(seen, *stored));
    wrong
        .map(|(order, seen, stored)| TicketCount {
            order: order.clone(),
            seen: Some(seen.clone()),
            stored,
        })
        .collect()
}
