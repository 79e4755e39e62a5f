//! Functions and the host: killed, stopped, paused.

use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ticket_rush::kill::kill_busy;
use tokio::time::sleep;

use super::Target;

/// How long to look for a busy process before an idle one is stopped until it is busy.
const CATCH: Duration = Duration::from_secs(1);

/// How far a shifted clock is from the others, seconds.
const SHIFT: i64 = 60;

impl Target {
    pub(super) async fn kill_function(&self, function: &str) -> Result<String> {
        let killed = kill_busy(self.host().status(), function, CATCH).await?;
        let load = match killed.records {
            0 => "during an event".to_owned(),
            records => format!("with {records} records"),
        };
        Ok(format!("process {} {load}", killed.pid))
    }

    /// Stops the processes that run now, and continues those that still exist.
    pub(super) async fn freeze_function(&self, function: &str, lasts: Duration) -> Result<String> {
        let status = self.host().status().status().await?;
        let processes: Vec<u32> = status.processes_of(function).collect();
        ensure!(!processes.is_empty(), "{function} has no process");
        let signal = |signal: Signal| {
            let sent = processes
                .iter()
                .filter(|pid| kill(Pid::from_raw(pid.cast_signed()), signal).is_ok());
            sent.count()
        };
        let stopped = signal(Signal::SIGSTOP);
        sleep(lasts).await;
        let continued = signal(Signal::SIGCONT);
        Ok(format!(
            "{stopped} processes stopped, {continued} of them continued"
        ))
    }

    pub(super) async fn kill_host(&self, lasts: Duration) -> Result<String> {
        let host = self.host();
        host.kill().await?;
        sleep(lasts).await;
        host.start_again().await?;
        Ok("the host serves again".to_owned())
    }

    pub(super) async fn pause_order_create(&self, lasts: Duration) -> Result<String> {
        for host in &self.hosts {
            host.command(&["pause", "OrderCreateOrders"]).await?;
        }
        sleep(lasts).await;
        for host in &self.hosts {
            host.command(&["resume", "OrderCreateOrders"]).await?;
        }
        Ok(format!("paused for {lasts:?}"))
    }

    pub(super) async fn shift_clocks(&self, lasts: Duration) -> Result<String> {
        for (host, seconds) in self.hosts.iter().zip([SHIFT, -SHIFT].into_iter().cycle()) {
            host.shift_clock(seconds)?;
        }
        sleep(lasts).await;
        for host in &self.hosts {
            host.shift_clock(0)?;
        }
        Ok(format!("by +{SHIFT} s and -{SHIFT} s for {lasts:?}"))
    }
}
