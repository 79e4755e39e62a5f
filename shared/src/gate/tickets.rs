//! What buyers' orders count towards their limits, for the continuous audit.

use redis::cmd;

use crate::message::{OrderNumber, ProgramId, Shard, UserId};
use redis_link::{Call, LinkError};

use super::scripts;
use super::types::ProgramRef;
use super::verbs::Gate;

/// Keys that one step of a scan looks at: about a millisecond of Redis' time.
const SCAN: u32 = 1_000;

/// A buyer's tickets of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuyerTickets {
    /// The program.
    pub program: ProgramRef,
    /// The buyer.
    pub user: UserId,
    /// Order and count, as they are kept: neither need be a number.
    pub counts: Vec<(String, String)>,
}

/// Some of the buyers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuyerPage {
    /// A buyer that is there all the time is on some page; one may be on two.
    pub buyers: Vec<BuyerTickets>,
    /// Where the next page begins; 0 after the last.
    pub next: u64,
}

/// A count of tickets that is to be compared in the step that mends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCount {
    /// The order.
    pub order: String,
    /// The count that was seen; nothing if the order had none.
    pub seen: Option<String>,
    /// What Postgres says.
    pub stored: StoredTickets,
}

/// The tickets of an order by its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredTickets {
    /// It is live and has so many seats.
    Live(u32),
    /// It has ended, or is no order at all.
    Ended,
    /// It has no row (yet).
    NoRow,
}

impl Gate {
    /// A page of the buyers of all programs: from the beginning with `from` 0, then from where the last page said. Goes through all keys
    /// of the server, a bounded number a page.
    pub async fn buyers(&self, from: u64) -> Result<BuyerPage, LinkError> {
        let mut scan = cmd("SCAN");
        let pattern = format!("{}:{{s??}}:program:*:user:*", self.names.prefix());
        scan.arg(from)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(SCAN)
            .arg("TYPE")
            .arg("hash");
        let Some(mut reply) = self.link.read("buyers", vec![scan]).await?.pop() else {
            return Ok(BuyerPage {
                buyers: Vec::new(),
                next: 0,
            });
        };
        let next = reply.parse()?;
        let mut keys = reply.nested()?;
        let mut found = Vec::new();
        let mut reads = Vec::new();
        while let Some(key) = keys.next_word()? {
            if let Some(buyer) = parse_key(self.names.prefix(), &key) {
                let mut read = cmd("HGETALL");
                read.arg(key);
                found.push(buyer);
                reads.push(read);
            }
        }
        let mut buyers = Vec::with_capacity(found.len());
        for ((program, user), mut fields) in found
            .into_iter()
            .zip(self.link.read("buyers", reads).await?)
        {
            let mut counts = Vec::with_capacity(fields.remaining() / 2);
            while let Some(order) = fields.next_word()? {
                counts.push((order, fields.word()?));
            }
            buyers.push(BuyerTickets {
                program,
                user,
                counts,
            });
        }
        Ok(BuyerPage { buyers, next })
    }

    /// What orders of a program count towards their buyers' limits; nothing for one that does not count.
    pub async fn tickets(
        &self,
        program: ProgramRef,
        orders: &[(&UserId, OrderNumber)],
    ) -> Result<Vec<Option<String>>, LinkError> {
        let read = |(user, order): &(&UserId, OrderNumber)| {
            let mut read = cmd("HGET");
            read.arg(self.program_key(program, format_args!("user:{user}")))
                .arg(order.to_string());
            read
        };
        let replies = self
            .link
            .read("tickets", orders.iter().map(read).collect())
            .await?;
        replies
            .into_iter()
            .map(|mut reply| Ok(reply.next_word()?.filter(|count| !count.is_empty())))
            .collect()
    }

    /// Makes counts of a buyer agree with what Postgres says and with the reservations in flight. Answers how many it changed; one that
    /// is not as it was seen stays.
    pub async fn mend_tickets(
        &self,
        program: ProgramRef,
        user: &UserId,
        counts: &[TicketCount],
    ) -> Result<u32, LinkError> {
        let mut call = Call::new(&scripts::TICKETS, &self.head_key(program)).arg(user.as_str());
        for count in counts {
            call.push(&count.order);
            call.push(count.seen.as_deref().unwrap_or_default());
            call.push(match count.stored {
                StoredTickets::Live(seats) => seats.to_string(),
                StoredTickets::Ended => "0".to_owned(),
                StoredTickets::NoRow => String::new(),
            });
        }
        self.link.run(call).await?.parse()
    }
}

/// The program and buyer of a key `<env>:{sNN}:program:<id>:user:<user>`. Nothing for any other key.
fn parse_key(prefix: &str, key: &str) -> Option<(ProgramRef, UserId)> {
    let rest = key.strip_prefix(prefix)?.strip_prefix(":{")?;
    let (shard, rest) = rest.split_once("}:program:")?;
    let (program, user) = rest.split_once(":user:")?;
    let shard = Shard::all().find(|known| known.to_string() == shard)?;
    let id = program.parse::<ProgramId>().ok()?;
    Some((ProgramRef { id, shard }, UserId::new(user).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buyers_key_tells_program_and_buyer() {
        let (program, user) =
            parse_key("demo", "demo:{s07}:program:71:user:a:user:b").expect("a key of a buyer");
        assert_eq!(
            (program.id.get(), program.shard.get(), user.as_str()),
            (71, 7, "a:user:b")
        );
        let others = [
            "demo:{s07}:program:71:owner",
            "demo:{s64}:program:71:user:a",
            "test:{s07}:program:71:user:a",
        ];
        for other in others {
            assert_eq!(parse_key("demo", other), None, "{other}");
        }
    }
}
