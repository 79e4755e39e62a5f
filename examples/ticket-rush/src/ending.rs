//! What ends a run: SIGINT (Ctrl-C), SIGTERM, SIGHUP (its terminal is closed). The host is then drained, as at the end of a run.

use std::future::{Future, pending};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Bit of SIGHUP in the masks of /proc/self/status.
const HANGUP: u64 = 1;

/// Waits for a signal. From the first moment on, none of them kills this process.
#[derive(Debug)]
pub struct Ending {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: SIGHUP is ignored, as `nohup` has it.
    hangup: Option<Signal>,
}

impl Ending {
    /// Takes the signals over.
    pub fn listen() -> Result<Self> {
        let take = |kind| signal(kind).context("signals cannot be listened for");
        let hangup = if hangup_is_ignored() {
            None
        } else {
            Some(take(SignalKind::hangup())?)
        };
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hangup,
        })
    }

    /// The name of the next signal.
    pub async fn told(&mut self) -> &'static str {
        let Self {
            interrupt,
            terminate,
            hangup,
        } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => hangup.recv().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hung_up => "SIGHUP",
        }
    }

    /// Does the work unless a signal comes first, which is an error; what was begun is dropped then.
    pub async fn unless<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            signal = self.told() => bail!("ended by {signal}"),
        }
    }
}

fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP != 0)
}
