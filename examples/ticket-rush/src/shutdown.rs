//! The signals that end a run: SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed). The
//! run then drains the host.

use std::future::{Future, poll_fn};
use std::task::Poll;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Bit of SIGHUP in the masks of /proc/self/status.
const HANGUP: u64 = 1;

/// Receives the signals, which no longer kill this process.
#[derive(Debug)]
pub struct ShutdownSignal(Vec<(&'static str, Signal)>);

impl ShutdownSignal {
    /// Installs the handlers. SIGHUP stays ignored if it is, as under `nohup`.
    pub fn listen() -> Result<Self> {
        let mut kinds = vec![
            ("SIGINT", SignalKind::interrupt()),
            ("SIGTERM", SignalKind::terminate()),
        ];
        if !hangup_is_ignored() {
            kinds.push(("SIGHUP", SignalKind::hangup()));
        }
        let listen = |(name, kind)| anyhow::Ok((name, signal(kind)?));
        let signals: Result<_> = kinds.into_iter().map(listen).collect();
        signals.context("cannot install a signal handler").map(Self)
    }

    /// Waits for a signal and returns its name.
    pub async fn recv(&mut self) -> &'static str {
        poll_fn(|cx| {
            let mut signals = self.0.iter_mut();
            let arrived =
                signals.find_map(|(name, signal)| signal.poll_recv(cx).is_ready().then_some(*name));
            arrived.map_or(Poll::Pending, Poll::Ready)
        })
        .await
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
