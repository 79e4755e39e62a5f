//! `SCAN` over one server, or over all primaries of a cluster.

use redis::Cmd;
use tokio::time::Instant;

use super::link::Servers;
use super::node::pipeline;
use super::{Link, LinkError, Reply};

/// Bits of a position that hold the cursor of one primary. The bits above count the primaries, so a
/// position of a cluster also fits a signed number of 64 bits.
const CURSOR_BITS: u32 = 48;

impl Link {
    /// One step of a scan from `position`, which is 0 at first. Returns the next position, 0 after
    /// the last step, and the keys. `scan` builds the command from a cursor of the server.
    ///
    /// A key that stays stored is found, maybe twice. In a cluster, keys of a slot that moves during
    /// the scan may be missed.
    pub async fn scan(
        &self,
        what: &'static str,
        position: u64,
        scan: impl Fn(u64) -> Cmd,
    ) -> Result<(u64, Reply), LinkError> {
        let deadline = Instant::now() + self.response_timeout;
        let (nodes, index, cursor) = match &self.servers {
            Servers::One(node) => (vec![node.clone()], 0, position),
            Servers::Cluster(cluster) => {
                let nodes = cluster.primaries(deadline).await?;
                let cursor = position & ((1 << CURSOR_BITS) - 1);
                (nodes, (position >> CURSOR_BITS) as usize, cursor)
            }
        };
        // There are fewer primaries than when the scan began: it has ended.
        let Some(node) = nodes.get(index) else {
            return Ok((0, Reply::empty(what)));
        };
        let step = node.exchange(&pipeline([scan(cursor)]), deadline).await;
        if let (Err(_), Servers::Cluster(cluster)) = (&step, &self.servers) {
            cluster.set_stale(None);
        }
        let value = step?.pop().ok_or_else(|| LinkError::no_answer(what))?;
        let mut reply = Reply::new(what, value)?;
        let next: u64 = reply.parse()?;
        let keys = reply.nested()?;
        if matches!(self.servers, Servers::One(..)) {
            return Ok((next, keys));
        }
        if next >> CURSOR_BITS != 0 {
            return Err(keys.unexpected("a cursor of more than 48 bits"));
        }
        let index = if next == 0 { index + 1 } else { index } as u64;
        let has_ended = index as usize == nodes.len();
        let position = if has_ended {
            0
        } else {
            (index << CURSOR_BITS) | next
        };
        Ok((position, keys))
    }
}
