//! The tickets that count towards buyers' limits, for the audit.

use redis::cmd;

use crate::message::{OrderNumber, ProgramId, Shard, UserId};
use redis_link::{Call, LinkError};

use super::connection::Gate;
use super::scripts;
use super::types::ProgramRef;

/// Keys that one step of a scan examines: half a millisecond of a Redis with many keys.
const SCAN: u32 = 250;

/// A buyer's tickets of one program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuyerTickets {
    /// The program.
    pub program: ProgramRef,
    /// The buyer.
    pub user: UserId,
    /// Order and count as stored; damaged data may contain any text.
    pub counts: Vec<(String, String)>,
}

/// A page of buyers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuyerPage {
    /// Every buyer that stays stored is on a page; some may be on two.
    pub buyers: Vec<BuyerTickets>,
    /// Where the next page begins; 0 after the last.
    pub next: u64,
}

/// A count of tickets to be compared and repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketCount {
    /// The order.
    pub order: String,
    /// The count that the caller read; `None` if the order had none.
    pub seen: Option<String>,
    /// The count of Postgres.
    pub stored: StoredTickets,
}

impl TicketCount {
    /// Whether the count that was read is that of Postgres.
    pub fn is_correct(&self) -> bool {
        matches!(self.stored, StoredTickets::Live(seats)
            if self.seen.as_ref().is_some_and(|seen| *seen == seats.to_string()))
    }
}

/// The tickets of an order by its row in Postgres.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredTickets {
    /// Live, with so many seats.
    Live(u32),
    /// Ended, or not an order.
    Ended,
    /// Without a row so far.
    NoRow,
}

impl Gate {
    /// A page of the buyers of all programs, from `from`: 0 first, then [`BuyerPage::next`]. Scans
    /// all keys of the server, or of all primaries of a cluster, a bounded number for each page.
    pub async fn buyers(&self, from: u64) -> Result<BuyerPage, LinkError> {
        let pattern = format!("{}:{{s??}}:program:*:user:*", self.names.prefix());
        let scan = |cursor| {
            let mut scan = cmd("SCAN");
            scan.arg(cursor).arg("MATCH").arg(&pattern);
            scan.arg("COUNT").arg(SCAN).arg("TYPE").arg("hash");
            scan
        };
        let (next, mut keys) = self.link.scan("buyers", from, scan).await?;
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

    /// The counts of orders towards their buyers' limits; `None` for an order that does not count.
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

    /// Corrects counts of a buyer by Postgres and the reservations in flight. Returns how many
    /// changed; a count that has changed since the caller read it stays.
    pub async fn repair_tickets(
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

/// Program and buyer of a key `<env>:{sNN}:program:<id>:user:<user>`. `None` for any other key.
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
    fn a_buyers_key_parses_to_program_and_buyer() {
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
