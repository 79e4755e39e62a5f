//! Step 7: filling a gate that lost its memory, behind closed doors.
//!
//! Begin installs the map closed, keeping the seats of reservations that Postgres may not know yet. Merge adds what Postgres says.
//! Open lets buyers in, if nobody began anew meanwhile. One loader works at a time; when its lease runs out another carries on.

use std::fmt;
use std::fmt::Write as _;

use crate::link::{Call, LinkError};
use crate::message::{CategoryNo, Nonce, OrderNumber, SeatIndex, UserId};
use crate::sale::{Layout, Program};

use super::scripts;
use super::types::{ProgramRef, parse_owner, seat_list};
use super::verbs::Gate;

/// Orders merged in one run of the script.
const MERGE_BATCH: usize = 100;

/// One filling of the gate by one loader: 128 random bits. Another beginning makes it stale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch(String);

impl Epoch {
    /// From 128 random bits.
    pub fn new(random: u128) -> Self {
        let mut text = String::with_capacity(32);
        let _ = write!(text, "{random:032x}");
        Self(text)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a beginning came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Install {
    /// The filling is the caller's until its lease ends.
    Mine {
        /// The end offsets that `progress` must pass before Postgres is read: those of whoever began.
        ends: String,
    },
    /// Another loader is at it.
    Busy {
        /// Its lease ends in so many ms.
        lease_left_ms: u64,
    },
    /// Nothing to do.
    AlreadyOpen,
    /// The gate is to be filled from nothing, and only who knows Kafka's end offsets can begin that.
    EndsNeeded,
}

/// How a program stands in the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstallState {
    /// Not there.
    Absent,
    /// There, but filled on another server (a restart, a failover): to be filled again.
    Replaced,
    /// Being filled.
    Loading {
        /// Kafka's end offsets when it began.
        ends: String,
        /// The loader's lease ends in so many ms; 0 when it has ended.
        lease_left_ms: u64,
    },
    /// Open.
    Open,
}

/// An order that Postgres says has its seats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOrder {
    /// Its number.
    pub order: OrderNumber,
    /// Its nonce.
    pub nonce: Nonce,
    /// Its buyer.
    pub user: UserId,
    /// Its category.
    pub category: CategoryNo,
    /// Its seats.
    pub seats: Vec<SeatIndex>,
    /// Payment is due in so many ms; nothing once it is paid.
    pub due_in_ms: Option<u64>,
}

/// What merging did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// All are in, tombstoned ones excepted.
    Done {
        /// Orders that held a seat which Postgres gave to another: reconcile each.
        displaced: Vec<(OrderNumber, Nonce)>,
        /// Orders left out because the installed map does not have their seats: raise an alarm.
        outside: Vec<OrderNumber>,
    },
    /// The filling is not the caller's any more.
    Stale,
}

impl Gate {
    /// Begins to fill the gate, or carries on what another loader left. `ends`: Kafka's end offsets now (JSON), if the caller knows.
    pub async fn install_begin(
        &self,
        program: &Program,
        ends: Option<&str>,
        loader: &Epoch,
        lease_ms: u64,
    ) -> Result<Install, LinkError> {
        let mut call = Call::new(&scripts::INSTALL_BEGIN, &self.head_key(program.into()))
            .arg(&loader.0)
            .arg(ends.unwrap_or_default())
            .arg(lease_ms);
        for category in &program.categories {
            call.push(category.no.get());
            call.push(layout_text(category.layout));
        }
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "MINE" => Ok(Install::Mine { ends: reply.word()? }),
            "BUSY" => Ok(Install::Busy { lease_left_ms: reply.parse()? }),
            "OPEN" => Ok(Install::AlreadyOpen),
            "ENDS" => Ok(Install::EndsNeeded),
            other => Err(reply.odd(other)),
        }
    }

    /// Adds live orders of Postgres to a filling, and renews its lease. May be repeated. Needs a call even where no order is live
    /// only if the lease is to be renewed.
    pub async fn install_merge(
        &self,
        program: ProgramRef,
        loader: &Epoch,
        lease_ms: u64,
        orders: &[LiveOrder],
    ) -> Result<Merged, LinkError> {
        let (mut displaced, mut outside) = (Vec::new(), Vec::new());
        let batches: Vec<&[LiveOrder]> = if orders.is_empty() { vec![&[]] } else { orders.chunks(MERGE_BATCH).collect() };
        for batch in batches {
            let mut call = Call::new(&scripts::INSTALL_MERGE, &self.head_key(program)).arg(&loader.0).arg(lease_ms);
            for order in batch {
                call.push(order.order.to_string());
                call.push(order.nonce.to_string());
                call.push(order.user.as_str());
                call.push(order.category.get());
                call.push(seat_list(&order.seats));
                call.push(order.due_in_ms.map(|ms| ms.to_string()).unwrap_or_default());
            }
            let mut reply = self.link.run(call).await?;
            match reply.word()?.as_str() {
                "DONE" => {}
                "STALE" => return Ok(Merged::Stale),
                other => return Err(reply.odd(other)),
            }
            for number in reply.word()?.split(',').filter(|number| !number.is_empty()) {
                outside.push(number.parse().map_err(|e| reply.odd(&format!("{number:?}: {e}")))?);
            }
            while let Some(owner) = reply.next_word()? {
                displaced.push(parse_owner(&owner)?);
            }
        }
        Ok(Merged::Done { displaced, outside })
    }

    /// Opens the gate, if the filling is still the caller's and the server the same. Answers whether it is open by this filling.
    pub async fn install_open(&self, program: ProgramRef, loader: &Epoch) -> Result<bool, LinkError> {
        let call = Call::new(&scripts::INSTALL_OPEN, &self.head_key(program)).arg(&loader.0);
        Ok(self.link.run(call).await?.parse::<u8>()? == 1)
    }
}

/// `first:rows:row_len:chunk_rows:chunks`, as the header keeps it.
fn layout_text(layout: Layout) -> String {
    let (first, rows, row_len) = (layout.first(), layout.rows(), layout.row_len());
    format!("{first}:{rows}:{row_len}:{}:{}", layout.chunk_rows(), layout.chunks())
}
