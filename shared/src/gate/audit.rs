//! The continuous audit of one program: the seat map against its owners and its counts, chunk by chunk.

use std::collections::HashSet;

use redis::cmd;

use crate::message::{CategoryNo, Nonce, OrderNumber, SeatIndex};
use redis_link::{Call, LinkError};

use super::look::Taken;
use super::scripts;
use super::types::{ProgramRef, TimeoutJob, parse_owner, parse_seats};
use super::verbs::Gate;

/// A seat to be freed, if it still belongs to this order, or to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The seat.
    pub seat: SeatIndex,
    /// Its owner as it was seen.
    pub owner: Option<(OrderNumber, Nonce)>,
}

/// What an audit of a chunk found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audit {
    /// The chunk was compared; what Redis alone can decide is mended.
    Done(AuditedChunk),
    /// The program is not open, or was filled on another server: it is going to be filled again.
    Closed,
    /// The installed map has no such chunk: it is not the map of this program.
    NoSuchChunk,
    /// The chunk was missing or had another size. The program is marked: the next request fills it again.
    Damaged,
}

/// A chunk after its audit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditedChunk {
    /// Seats that have an owner and were not taken. They are taken now.
    pub taken_again: u32,
    /// Free counts and longest runs that were wrong. They are right now.
    pub recounted: u32,
    /// Seats that were freed because the caller named them.
    pub freed: u32,
    /// Seats that are taken and have no owner. Postgres decides: see [`Gate::audit`].
    pub unowned: Vec<SeatIndex>,
    /// All seats of the chunk that have an owner.
    pub taken: Vec<Taken>,
}

impl Gate {
    /// Compares a chunk of the seat map with its owners, its free count, its longest run and the header's free count, in one step, and
    /// mends what does not need Postgres. Frees the seats in `releases` whose owner is still the one that was seen.
    pub async fn audit(
        &self,
        program: ProgramRef,
        category: CategoryNo,
        chunk: u32,
        releases: &[Release],
    ) -> Result<Audit, LinkError> {
        let mut call = Call::new(&scripts::AUDIT, &self.head_key(program))
            .arg(category.get())
            .arg(chunk);
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
                let (taken_again, recounted, freed) =
                    (reply.parse()?, reply.parse()?, reply.parse()?);
                let unowned = parse_seats(&reply.word()?)?;
                let mut taken = Vec::with_capacity(reply.remaining() / 2);
                while let Some(seat) = reply.next_word()? {
                    let (order, nonce) = parse_owner(&reply.word()?)?;
                    taken.extend(parse_seats(&seat)?.into_iter().map(|seat| Taken {
                        seat,
                        order,
                        nonce,
                    }));
                }
                Ok(Audit::Done(AuditedChunk {
                    taken_again,
                    recounted,
                    freed,
                    unowned,
                    taken,
                }))
            }
            "CLOSED" => Ok(Audit::Closed),
            "NOSEAT" => Ok(Audit::NoSuchChunk),
            "DAMAGED" => Ok(Audit::Damaged),
            other => Err(reply.unexpected(other)),
        }
    }

    /// The seats of a program's reservations in flight, found by the timeout entries of its shard. Reads all entries of the shard: only
    /// for what should never be needed.
    pub async fn reserved_seats(
        &self,
        program: ProgramRef,
    ) -> Result<HashSet<SeatIndex>, LinkError> {
        let jobs = self.timeouts().bodies_key(program.shard);
        let mut seats = HashSet::new();
        let mut from = 0_u64;
        loop {
            let mut scan = cmd("HSCAN");
            scan.arg(&jobs).arg(from).arg("COUNT").arg(1000);
            let Some(mut reply) = self.link.read("reserved_seats", vec![scan]).await?.pop() else {
                break;
            };
            from = reply.parse()?;
            let mut pairs = reply.nested()?;
            let mut reads = Vec::new();
            while let Some(order) = pairs.next_word()? {
                // A body that cannot be read is no reason to leave its reservation out.
                if TimeoutJob::parse(&pairs.word()?).is_ok_and(|job| job.program != program.id) {
                    continue;
                }
                let mut read = cmd("HMGET");
                read.arg(
                    self.names
                        .shard_key(program.shard, format_args!("resv:{order}")),
                )
                .arg(&["program", "seats"]);
                reads.push(read);
            }
            for mut reservation in self.link.read("reserved_seats", reads).await? {
                if reservation.word()? == program.id.to_string() {
                    seats.extend(parse_seats(&reservation.word()?)?);
                }
            }
            if from == 0 {
                break;
            }
        }
        Ok(seats)
    }
}
