//! The hosts of the run: they are killed and started again.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::host::{Environment, Host, StatusClient};
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use crate::programs::{FunctionClock, with_clock};

/// How long starts are repeated.
const START: Duration = Duration::from_mins(1);
const PAUSE: Duration = Duration::from_millis(200);

/// A host, which may be away for a moment.
#[derive(Debug)]
pub struct RunningHost {
    environment: Environment,
    host: Mutex<Option<Host>>,
    status: StatusClient,
    /// None without libfaketime.
    clock: Option<FunctionClock>,
}

impl RunningHost {
    /// Starts it. `folder` is of this host only.
    pub async fn start(mut environment: Environment, folder: &Path) -> Result<Self> {
        let clock = match with_clock(&environment.checkout, folder)? {
            Some((checkout, clock)) => {
                environment.checkout = checkout;
                Some(clock)
            }
            None => None,
        };
        let host = environment.up().await?;
        Ok(Self {
            status: host.status_client(),
            environment,
            host: Mutex::new(Some(host)),
            clock,
        })
    }

    /// Adds seconds to the wall clock of its functions.
    pub fn shift_clock(&self, seconds: i64) -> Result<()> {
        let clock = self.clock.as_ref();
        let clock = clock.context("libfaketime is not installed: apt-get install libfaketime")?;
        clock.shift(seconds)
    }

    /// A client of its status: its address is the same after a restart.
    pub fn status(&self) -> &StatusClient {
        &self.status
    }

    /// Kills it without a drain.
    pub async fn kill(&self) -> Result<()> {
        let host = self.host.lock().await.take();
        host.context("the host does not run")?.kill().await
    }

    /// Starts it after a kill. Repeats that while a start fails, since a server may be away.
    pub async fn start_again(&self) -> Result<()> {
        let mut host = self.host.lock().await;
        let until = Instant::now() + START;
        loop {
            match self.environment.up().await {
                Ok(started) => {
                    *host = Some(started);
                    return Ok(());
                }
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Drains and stops it.
    pub async fn stop(&self) -> Result<()> {
        match self.host.lock().await.take() {
            Some(host) => host.stop().await,
            None => Ok(()),
        }
    }

    /// Runs a command of `usher` about this host, such as `pause OrderCreateOrders`.
    pub async fn command(&self, arguments: &[&str]) -> Result<()> {
        let checkout = &self.environment.checkout;
        let mut usher = Command::new(checkout.program("usher")?);
        usher.current_dir(&checkout.root).args(arguments);
        let output = self.output(usher).await?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", text.trim());
        Ok(())
    }

    /// Reads the orders of partitions that this host owns from `time` on, once more: of those that it
    /// has read to their end, since a move of others could skip records. Returns their number.
    pub async fn read_orders_again(&self, time: &str) -> Result<usize> {
        let status = self.status().status().await?;
        let mapping = status.mapping("OrderCreate");
        let mapping = mapping.context("the host has no mapping of OrderCreate")?;
        let read = mapping.partitions.iter().filter(|partition| {
            partition.position.is_some() && partition.position >= partition.end
        });
        let read: Vec<String> = read
            .map(|partition| partition.partition.to_string())
            .collect();
        if read.is_empty() {
            return Ok(0);
        }
        let seek = [
            "offsets",
            "seek",
            "OrderCreateOrders",
            "--to",
            time,
            "--apply",
        ];
        let partitions = read.iter().flat_map(|number| ["--partition", number]);
        let arguments: Vec<&str> = seek.into_iter().chain(partitions).collect();
        let output = self
            .output(self.environment.usher_with(&arguments)?)
            .await?;
        let text = String::from_utf8_lossy(&output.stdout);
        let moved = text
            .lines()
            .filter(|line| line.ends_with("partitions are read from there on"))
            .find_map(|line| line.split(' ').next()?.parse().ok());
        moved.with_context(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    async fn output(&self, mut usher: Command) -> Result<Output> {
        let control = self.environment.control.to_string();
        usher.args(["--control", &control]).kill_on_drop(true);
        Ok(usher.output().await?)
    }
}
