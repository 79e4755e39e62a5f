//! The audit of the seat map: its chunks against the owners and the counts.

use std::collections::HashSet;

use redis::cmd;

use crate::message::{CategoryNo, Nonce, OrderNumber, SeatIndex};
use redis_link::{Call, LinkError, Reply};

use super::connection::Gate;
use super::read::Taken;
use super::reservation::Reservation;
use super::scripts;
use super::types::{ProgramRef, TimeoutJob, parse_seats};

/// A seat to be freed if its owner has not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The seat.
    pub seat: SeatIndex,
    /// The owner that the caller read.
    pub owner: Option<(OrderNumber, Nonce)>,
}

/// The result of auditing a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audit {
    /// The chunk was compared; what Redis alone can decide is repaired.
    Done(AuditedChunk),
    /// The program is not open, or was filled on another server: it will be filled again.
    Closed,
    /// The installed map has no such chunk: it belongs to another version of the program.
    NoSuchChunk,
    /// The chunk was missing or had another size. The next request fills the program again.
    Damaged,
}

/// A chunk after its audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedChunk {
    /// Seats with an owner that were not taken; they are taken now.
    pub taken_again: u32,
    /// Wrong free counts and longest runs; they are corrected.
    pub recounted: u32,
    /// Seats freed because the caller listed them.
    pub freed: u32,
    /// Taken seats without an owner. The caller checks Postgres and lists them as releases.
    pub unowned: Vec<SeatIndex>,
    /// All seats of the chunk with an owner.
    pub taken: Vec<Taken>,
}

impl AuditedChunk {
    /// Adds a part, in the order of the reply.
    fn add(&mut self, part: &mut Reply) -> Result<(), LinkError> {
        self.taken_again += part.parse::<u32>()?;
        self.recounted += part.parse::<u32>()?;
        self.freed += part.parse::<u32>()?;
        self.unowned.extend(parse_seats(&part.word()?)?);
        self.taken.extend(Taken::read_all(part)?);
        Ok(())
    }
}

impl Gate {
    /// Compares a chunk of the seat map with its owners, its longest run and, for the last chunk of
    /// a category, the header's free count, and repairs what does not need Postgres. Frees the
    /// seats in `releases` whose owner has not changed. One step for each part of the chunk, so
    /// that other commands wait for at most a part.
    pub async fn audit(
        &self,
        program: ProgramRef,
        category: CategoryNo,
        chunk: u32,
        releases: &[Release],
    ) -> Result<Audit, LinkError> {
        let mut audited = AuditedChunk::default();
        for part in 0_u32.. {
            let mut call = Call::new(&scripts::AUDIT, &self.head_key(program))
                .arg(category.get())
                .arg(chunk)
                .arg(part);
            for release in releases {
                call.push(release.seat.get());
                call.push(
                    release
                        .owner
                        .map_or_else(String::new, |(order, nonce)| format!("{order}:{nonce}")),
                );
            }
            let mut reply = self.link.run(call).await?;
            match reply.word()?.as_str() {
                "OK" => {
                    let more: u8 = reply.parse()?;
                    audited.add(&mut reply)?;
                    if more == 0 {
                        break;
                    }
                }
                "CLOSED" => return Ok(Audit::Closed),
                "NOSEAT" => return Ok(Audit::NoSuchChunk),
                "DAMAGED" => return Ok(Audit::Damaged),
                other => return Err(reply.unexpected(other)),
            }
        }
        Ok(Audit::Done(audited))
    }

    /// The seats of a program's reservations in flight, found through the timeout entries of its
    /// shard. Reads all entries of the shard: only for repairs that should never be needed.
    pub async fn reserved_seats(
        &self,
        program: ProgramRef,
    ) -> Result<HashSet<SeatIndex>, LinkError> {
        let bodies = self.timeouts().bodies_key(program.shard);
        let mut seats = HashSet::new();
        let mut from = 0_u64;
        loop {
            let mut scan = cmd("HSCAN");
            scan.arg(&bodies).arg(from).arg("COUNT").arg(1000);
            let mut reply = self.link.read_one("reserved_seats", scan).await?;
            from = reply.parse()?;
            let mut pairs = reply.nested()?;
            let (mut orders, mut reads) = (Vec::<OrderNumber>::new(), Vec::new());
            while let Some(order) = pairs.next_word()? {
                // A reservation counts even if the body of its entry cannot be parsed.
                if TimeoutJob::parse(&pairs.word()?).is_ok_and(|job| job.program != program.id) {
                    continue;
                }
                // Only an order number has a reservation.
                if let Ok(order) = order.parse() {
                    reads.push(self.reservation_call(program.shard, order));
                    orders.push(order);
                }
            }
            for (order, reservation) in orders.into_iter().zip(self.link.run_all(reads).await?) {
                let mut reservation = reservation?;
                if reservation.remaining() == 0 {
                    continue;
                }
                let reservation = Reservation::read(order, &reservation.word()?)?;
                if reservation.program == program.id {
                    seats.extend(reservation.seats);
                }
            }
            if from == 0 {
                break;
            }
        }
        Ok(seats)
    }
}
