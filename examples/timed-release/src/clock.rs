//! Redis' clock.

use delay_queue::{Link, LinkError};
use redis::cmd;

/// Reads Redis' clock: milliseconds since 1970, rounded down.
///
/// `Link` reconnects by itself and repeats the command. A program that keeps a connection of the
/// redis crate must do both: Redis closes connections (restart, failover, `CLIENT KILL`), or a
/// connection stays open and no reply arrives.
pub(crate) async fn now_ms(link: &Link) -> Result<u64, LinkError> {
    let mut reply = link.read_one("TIME", cmd("TIME")).await?;
    let seconds: u64 = reply.parse()?;
    let micros: u64 = reply.parse()?;
    Ok(seconds * 1000 + micros / 1000)
}
