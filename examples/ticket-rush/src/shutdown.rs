//! The signals that end a run: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed). The
//! run then drains the host.

use std::future::{Future, pending};

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Bit of SIGHUP in the masks of /proc/self/status.
const HANGUP: u64 = 1;

/// Receives the signals, which no longer kill this process.
#[derive(Debug)]
pub struct ShutdownSignal {
    interrupt: Signal,
    terminate: Signal,
    /// `None` if SIGHUP is ignored, as under `nohup`.
    hangup: Option<Signal>,
}

impl ShutdownSignal {
    /// Installs the handlers.
    pub fn listen() -> Result<Self> {
        let take = |kind| signal(kind).context("cannot install a signal handler");
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

    /// Waits for a signal and returns its name.
    pub async fn recv(&mut self) -> &'static str {
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

    /// Runs the work until a signal arrives, which drops the work and is an error.
    pub async fn unless<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            done = work => done,
            signal = self.recv() => bail!("ended by {signal}"),
        }
    }
}

fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP != 0)
}
