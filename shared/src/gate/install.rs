//! Filling a closed gate after Redis lost its data. [`crate::refill`] calls these functions in
//! order.
//!
//! `install_claim` orders the filling after the loss. `install_begin` installs a closed map with
//! the seats of reservations that Postgres may not have yet. `install_merge` adds the live orders
//! of Postgres. `install_open` opens the gate unless another filling has begun. One loader works at
//! a time; when its lease ends, another resumes at the stored position.

use redis::cmd;

use crate::message::Shard;
use crate::sale::{Layout, Program};
use redis_link::{Call, LinkError};

use super::connection::Gate;
use super::filling::{
    Epoch, FillBegun, FillClaim, FillGrant, FillStart, LiveOrder, Merged, NamedOrder,
};
use super::scripts;
use super::types::{ProgramRef, read_owners, seat_list};

/// Orders or keys for one run of a script, which blocks Redis for about 3 ms.
const MERGE_BATCH: usize = 500;

impl Gate {
    /// Claims the right to begin a filling from nothing. Barriers that the caller appends to Kafka
    /// after this cover all orders that the gate may have lost.
    pub async fn install_claim(
        &self,
        program: ProgramRef,
        loader: &Epoch,
        lease_ms: u64,
    ) -> Result<FillClaim, LinkError> {
        let call = Call::new(&scripts::INSTALL_CLAIM, &self.head_key(program))
            .arg(&loader.0)
            .arg(lease_ms);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "GRANTED" => Ok(FillClaim::Granted(FillGrant(reply.word()?))),
            "BUSY" => Ok(FillClaim::Busy {
                lease_left_ms: reply.parse()?,
            }),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Resumes a filling without a loader; with a `start`, begins one from nothing if required.
    pub async fn install_begin(
        &self,
        program: &Program,
        start: Option<FillStart<'_>>,
        loader: &Epoch,
        lease_ms: u64,
    ) -> Result<FillBegun, LinkError> {
        let mut call = Call::new(&scripts::INSTALL_BEGIN, &self.head_key(program.into()))
            .arg(&loader.0)
            .arg(start.map_or("", |start| start.ends))
            .arg(start.map_or("", |start| start.grant.0.as_str()))
            .arg(lease_ms);
        for category in &program.categories {
            call.push(category.no.get());
            call.push(layout_text(category.layout));
        }
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "MINE" => Ok(FillBegun::Mine {
                ends: reply.word()?,
                position: reply.word()?,
            }),
            "BUSY" => Ok(FillBegun::Busy {
                lease_left_ms: reply.parse()?,
            }),
            "OPEN" => Ok(FillBegun::AlreadyOpen),
            "ENDS" => Ok(FillBegun::EndsNeeded),
            "LOST" => Ok(FillBegun::GrantLost),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Renews the lease of a filling and stores its position (opaque, at most 64 bytes). A lease of
    /// 1 ms releases the filling. Returns whether the caller still holds it.
    pub async fn install_renew(
        &self,
        program: ProgramRef,
        loader: &Epoch,
        lease_ms: u64,
        position: Option<&str>,
    ) -> Result<bool, LinkError> {
        let call = Call::new(&scripts::INSTALL_RENEW, &self.head_key(program))
            .arg(&loader.0)
            .arg(lease_ms)
            .arg(position.unwrap_or_default());
        self.holds(call).await
    }

    /// Adds live orders of Postgres to a filling and renews its lease. May be repeated. Orders with
    /// adjacent seats cost least.
    pub async fn install_merge(
        &self,
        program: ProgramRef,
        loader: &Epoch,
        lease_ms: u64,
        orders: &[LiveOrder],
    ) -> Result<Merged, LinkError> {
        let mut displaced = Vec::new();
        let mut outside = Vec::new();
        let batches: Vec<&[LiveOrder]> = if orders.is_empty() {
            vec![&[]]
        } else {
            orders.chunks(MERGE_BATCH).collect()
        };
        for batch in batches {
            let mut call = Call::new(&scripts::INSTALL_MERGE, &self.head_key(program))
                .arg(&loader.0)
                .arg(lease_ms);
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
                other => return Err(reply.unexpected(other)),
            }
            for number in reply.word()?.split(',').filter(|number| !number.is_empty()) {
                outside.push(
                    number
                        .parse()
                        .map_err(|e| reply.unexpected(&format!("{number:?}: {e}")))?,
                );
            }
            read_owners(&mut reply, &mut displaced)?;
        }
        Ok(Merged::Done { displaced, outside })
    }

    /// Restores idempotency keys and renews the lease. May be repeated. Returns whether the caller
    /// still holds the filling.
    pub async fn install_keys(
        &self,
        program: ProgramRef,
        loader: &Epoch,
        lease_ms: u64,
        keys: &[NamedOrder],
    ) -> Result<bool, LinkError> {
        for batch in keys.chunks(MERGE_BATCH) {
            let mut call = Call::new(&scripts::INSTALL_KEYS, &self.head_key(program))
                .arg(&loader.0)
                .arg(lease_ms);
            for named in batch {
                call.push(named.user.as_str());
                call.push(named.key.as_str());
                call.push(named.order.to_string());
                call.push(named.nonce.to_string());
                call.push(&named.body_hash);
                call.push(named.ttl_ms);
            }
            if !self.holds(call).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Opens the gate if the caller still holds the filling on the same server. Returns whether
    /// this filling has opened it.
    pub async fn install_open(
        &self,
        program: ProgramRef,
        loader: &Epoch,
    ) -> Result<bool, LinkError> {
        let call = Call::new(&scripts::INSTALL_OPEN, &self.head_key(program)).arg(&loader.0);
        self.holds(call).await
    }

    /// Runs a script that returns 1 if the loader still holds the filling.
    async fn holds(&self, call: Call) -> Result<bool, LinkError> {
        Ok(self.link.run(call).await?.parse::<u8>()? == 1)
    }
}

impl Gate {
    /// The programs that are being filled, in no order. Their barriers are stored, so any function
    /// can resume them.
    pub async fn fillings(&self) -> Result<Vec<ProgramRef>, LinkError> {
        let shards: Vec<Shard> = Shard::all().collect();
        let members = |shard: &Shard| {
            let mut command = cmd("SMEMBERS");
            command.arg(self.names.shard_key(*shard, "filling"));
            command
        };
        let replies = self
            .link
            .read("fillings", shards.iter().map(members).collect())
            .await?;
        let mut programs = Vec::new();
        for (shard, mut reply) in shards.into_iter().zip(replies) {
            while let Some(id) = reply.next_word()? {
                let id = id
                    .parse()
                    .map_err(|e| reply.unexpected(&format!("{id:?}: {e}")))?;
                programs.push(ProgramRef { id, shard });
            }
        }
        Ok(programs)
    }
}

/// The layout as stored in the header: `first:rows:row_len:chunk_rows:chunks`.
pub(super) fn layout_text(layout: Layout) -> String {
    let first = layout.first();
    let rows = layout.rows();
    let row_len = layout.row_len();
    format!(
        "{first}:{rows}:{row_len}:{}:{}",
        layout.chunk_rows(),
        layout.chunks()
    )
}
