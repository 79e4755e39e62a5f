//! Kills a process of a function while it handles an event.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::sleep;

use crate::host::StatusClient;

/// Timeout of the whole attempt.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A process that was killed while it handled an event.
#[derive(Debug, Clone, Copy)]
pub struct KilledProcess {
    /// Process id.
    pub pid: u32,
    /// Records in flight; 0 if its event is no batch.
    pub records: usize,
}

/// Suspends a busy process of the function, verifies that it still handles an event, and kills it.
///
/// If no process is busy within `catch`, suspends an idle one until it receives an event.
pub async fn kill_busy(
    watch: &StatusClient,
    function: &str,
    catch: Duration,
) -> Result<KilledProcess> {
    let began = Instant::now();
    let mut suspended = None;
    while began.elapsed() < TIMEOUT {
        let status = watch.status().await;
        let functions = status.context("cannot read the status of usher")?.functions;
        let found = functions.into_iter().find(|f| f.function == function);
        let processes = found.map(|f| f.instances).unwrap_or_default();
        let waiting = began.elapsed() >= catch;
        let process = processes.iter().find(|p| p.pid == suspended);
        if let (Some(pid), Some(process)) = (suspended, process) {
            let busy = !process.in_flight.is_empty();
            if busy && signal(pid, Signal::SIGKILL)? {
                let records = process.in_flight.iter().map(|i| i.records).sum();
                return Ok(KilledProcess { pid, records });
            }
            // It has just finished. It resumes, unless it is to receive its next event.
            if busy || !waiting {
                signal(pid, Signal::SIGCONT)?;
                suspended = None;
            }
        } else {
            let may_stop = |state: &str| state == "busy" || (waiting && state == "idle");
            let candidate = processes.iter().find(|p| may_stop(&p.state));
            suspended = candidate.and_then(|p| p.pid);
            if let Some(pid) = suspended
                && !signal(pid, Signal::SIGSTOP)?
            {
                suspended = None;
            }
        }
        sleep(Duration::from_millis(2)).await;
    }
    if let Some(pid) = suspended {
        signal(pid, Signal::SIGCONT)?;
    }
    bail!("no process of {function} was busy within {TIMEOUT:?}")
}

/// Sends the signal. Returns false if the process has ended.
fn signal(pid: u32, signal: Signal) -> Result<bool> {
    match kill(Pid::from_raw(pid as i32), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal} to process {pid}")),
    }
}
