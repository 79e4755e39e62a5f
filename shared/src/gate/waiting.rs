//! Places for requests that wait until their order is stored. A waiting request occupies an
//! instance of the storefront, so all instances share a bounded number of places.

use std::time::Duration;

use crate::message::Shard;
use redis_link::{Call, LinkError};

use super::connection::Gate;
use super::scripts;

/// Whether a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitBegun {
    /// It has a place until its time ends or [`Gate::wait_end`].
    Yes,
    /// All places are taken.
    Full,
    /// Orders are not being stored now: waiting would not help.
    Lagging,
}

impl Gate {
    /// Takes one of `places` for at most `time`. `id` is random and identifies the place.
    pub async fn wait_begin(
        &self,
        id: u64,
        time: Duration,
        places: u32,
    ) -> Result<WaitBegun, LinkError> {
        let call = Call::new(&scripts::WAIT_BEGIN, &self.waiting_key())
            .arg(word(id))
            .arg(ms(time))
            .arg(places);
        let mut reply = self.link.run(call).await?;
        match reply.word()?.as_str() {
            "YES" => Ok(WaitBegun::Yes),
            "FULL" => Ok(WaitBegun::Full),
            "LAGGING" => Ok(WaitBegun::Lagging),
            other => Err(reply.unexpected(other)),
        }
    }

    /// Returns a place. `lagging`: for how long no request waits because orders are not being
    /// stored; zero if they are.
    pub async fn wait_end(&self, id: u64, lagging: Duration) -> Result<(), LinkError> {
        self.link
            .run(
                Call::new(&scripts::WAIT_END, &self.waiting_key())
                    .arg(word(id))
                    .arg(ms(lagging)),
            )
            .await
            .map(drop)
    }

    /// One key for the environment, on the first shard: places are counted over all programs.
    fn waiting_key(&self) -> String {
        let first = Shard::new(0).unwrap_or_else(|_| unreachable!("shard 0 exists"));
        self.names.shard_key(first, "waiting")
    }
}

fn word(id: u64) -> String {
    format!("{id:016x}")
}

pub(super) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
