//! Killing a function while it works, not merely while it runs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::sleep;

use crate::host::Watch;
use crate::status::Instance;

/// How long it may take in all.
const LIMIT: Duration = Duration::from_secs(30);

/// A process that was killed while it worked.
#[derive(Debug, Clone, Copy)]
pub struct Killed {
    /// Its process id.
    pub pid: u32,
    /// Records that it had been given and had not answered for; 0 when its event was no batch.
    pub records: usize,
}

/// Freezes a busy process of the function, makes sure that it still holds its work, and kills it.
///
/// Where none is caught busy within `catch`, an idle one is frozen until work has been handed to it.
pub async fn kill_at_work(watch: &Watch, function: &str, catch: Duration) -> Result<Killed> {
    let began = Instant::now();
    let mut frozen = None;
    while began.elapsed() < LIMIT {
        let status = watch.status().await.context("usher's status")?;
        let processes = status
            .function(function)
            .map(|f| f.instances.clone())
            .unwrap_or_default();
        let waiting = began.elapsed() >= catch;
        match frozen {
            None => {
                if let Some(pid) = candidate(&processes, waiting)
                    && signal(pid, Signal::SIGSTOP)?
                {
                    frozen = Some(pid);
                }
            }
            Some(pid) => match processes.iter().find(|p| p.pid == Some(pid)) {
                Some(p) if !p.in_flight.is_empty() => {
                    if signal(pid, Signal::SIGKILL)? {
                        return Ok(Killed {
                            pid,
                            records: p.in_flight.iter().map(|i| i.records).sum(),
                        });
                    }
                    frozen = None;
                }
                // It had just finished: let it go on, unless it is to wait for its next work.
                Some(_) if !waiting => {
                    signal(pid, Signal::SIGCONT)?;
                    frozen = None;
                }
                Some(_) => {}
                None => frozen = None,
            },
        }
        sleep(Duration::from_millis(2)).await;
    }
    if let Some(pid) = frozen {
        signal(pid, Signal::SIGCONT)?;
    }
    bail!(
        "no process of {function} was seen at work within {} s",
        LIMIT.as_secs()
    )
}

fn candidate(processes: &[Instance], waiting: bool) -> Option<u32> {
    processes
        .iter()
        .find(|p| p.state == "busy" || (waiting && p.state == "idle"))
        .and_then(|p| p.pid)
}

/// Sends the signal. False: the process has ended since its status was read.
fn signal(pid: u32, signal: Signal) -> Result<bool> {
    match kill(Pid::from_raw(pid as i32), signal) {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("process {pid} cannot be sent {signal}")),
    }
}
