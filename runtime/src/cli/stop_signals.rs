//! Signals that stop a host or a bridge: SIGINT, SIGTERM, SIGHUP (its terminal is closed), and
//! optionally the end of standard input.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::error::CommandError;

/// Bit of SIGHUP in the masks of /proc/self/status.
const HANGUP: u64 = 1;

/// Receives the signals on which the process drains and ends.
#[derive(Debug)]
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
    /// `None`: SIGHUP is ignored, as under `nohup`.
    hangup: Option<Signal>,
    /// Resolves at the end of standard input; `None`: not enabled, or already received.
    input: Option<oneshot::Receiver<()>>,
}

impl StopSignals {
    /// Registers the handlers: from now on these signals do not kill the process.
    ///
    /// # Errors
    /// A handler or a thread cannot be created.
    pub(super) fn listen(until_stdin_closes: bool) -> Result<Self, CommandError> {
        Self::register(until_stdin_closes)
            .map_err(|error| CommandError::failure(format!("cannot listen for signals: {error}")))
    }

    fn register(until_stdin_closes: bool) -> io::Result<Self> {
        let ignored = std::fs::read_to_string("/proc/self/status")
            .is_ok_and(|status| ignores_hangup(&status));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: (!ignored)
                .then(|| signal(SignalKind::hangup()))
                .transpose()?,
            input: until_stdin_closes.then(end_of_input).transpose()?,
        })
    }

    /// Resolves at the next signal, or at the end of standard input.
    pub(super) async fn received(&mut self) {
        let Self {
            interrupt,
            terminate,
            hangup,
            input,
        } = self;
        let hung_up = async {
            match hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        let closed = async {
            match input {
                Some(input) => drop(input.await),
                None => std::future::pending().await,
            }
        };
        let by_input = tokio::select! {
            _ = interrupt.recv() => false,
            _ = terminate.recv() => false,
            () = hung_up => false,
            () = closed => true,
        };
        if by_input {
            self.input = None;
        }
    }
}

/// Reads standard input to its end, on a detached thread.
fn end_of_input() -> io::Result<oneshot::Receiver<()>> {
    let (ended, end) = oneshot::channel();
    std::thread::Builder::new()
        .name("standard input".into())
        .spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            // The receiver is dropped when the host stops first.
            let _ = ended.send(());
        })?;
    Ok(end)
}

fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & HANGUP != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_hangup_stays_ignored() {
        assert!(ignores_hangup("Name:\tusher\nSigIgn:\t0000000000001001\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n"));
        assert!(!ignores_hangup(""));
    }
}
