//! Kills a process of a function while it handles an event.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::sleep;

use crate::host::StatusClient;
use crate::status::InstanceStatus;

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
        let status = watch
            .status()
            .await
            .context("cannot read the status of usher")?;
        let processes = status
            .function(function)
            .map(|f| f.instances.clone())
            .unwrap_or_default();
        let waiting = began.elapsed() >= catch;
        match suspended {
            None => {
                if let Some(pid) = candidate(&processes, waiting)
                    && signal(pid, Signal::SIGSTOP)?
                {
                    suspended = Some(pid);
                }
            }
            Some(pid) => match processes.iter().find(|p| p.pid == Some(pid)) {
                Some(p) if !p.in_flight.is_empty() => {
                    if signal(pid, Signal::SIGKILL)? {
                        return Ok(KilledProcess {
                            pid,
                            records: p.in_flight.iter().map(|i| i.records).sum(),
                        });
                    }
                    suspended = None;
                }
                // It has just finished. It resumes, unless it is to receive its next event.
                Some(_) if !waiting => {
                    signal(pid, Signal::SIGCONT)?;
                    suspended = None;
                }
                Some(_) => {}
                None => suspended = None,
            },
        }
        sleep(Duration::from_millis(2)).await;
    }
    if let Some(pid) = suspended {
        signal(pid, Signal::SIGCONT)?;
    }
    bail!("no process of {function} was busy within {TIMEOUT:?}")
}

fn candidate(processes: &[InstanceStatus], waiting: bool) -> Option<u32> {
    processes
        .iter()
        .find(|p| p.state == "busy" || (waiting && p.state == "idle"))
        .and_then(|p| p.pid)
}

/// Sends the signal. Returns false if the process has ended.
fn signal(pid: u32, signal: Signal) -> Result<bool> {
    match kill(Pid::from_raw(pid as i32), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot send {signal} to process {pid}")),
    }
}
