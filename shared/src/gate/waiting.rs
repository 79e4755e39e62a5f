//! Places for requests that wait until their order is stored. A waiting request holds an instance of the storefront that does nothing
//! else meanwhile, so all instances together wait in a bounded number of places.

use std::time::Duration;

use crate::message::Shard;
use redis_link::{Call, LinkError};

use super::scripts;
use super::verbs::Gate;

/// Whether a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitBegun {
    /// It has a place, until its time is over or [`Gate::wait_end`].
    Yes,
    /// All places are taken.
    Full,
    /// Orders are not being stored at the moment: waiting has no chance.
    Lagging,
}

impl Gate {
    /// Asks for one of `places`, for at most `time`. `who`: random, by which the place is given back.
    pub async fn wait_begin(
        &self,
        who: u64,
        time: Duration,
        places: u32,
    ) -> Result<WaitBegun, LinkError> {
        let call = Call::new(&scripts::WAIT_BEGIN, &self.waiting_key())
            .arg(word(who))
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

    /// Gives a place back. `lagging`: orders were found not to be stored; no request waits for so long. Zero: nothing of the kind.
    pub async fn wait_end(&self, who: u64, lagging: Duration) -> Result<(), LinkError> {
        self.link
            .run(
                Call::new(&scripts::WAIT_END, &self.waiting_key())
                    .arg(word(who))
                    .arg(ms(lagging)),
            )
            .await
            .map(drop)
    }

    /// One key for the environment, on the first shard: places are counted over all programs.
    fn waiting_key(&self) -> String {
        let first = Shard::new(0).unwrap_or_else(|_| unreachable!("there is a first shard"));
        self.names.shard_key(first, "waiting")
    }
}

fn word(who: u64) -> String {
    format!("{who:016x}")
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
