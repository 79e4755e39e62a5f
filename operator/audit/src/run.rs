//! One run: read, check, and over a running system read and check again.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use redis_link::Link;

use crate::check::{self, Bounds, Check, Evidence};
use crate::cli::Run;
use crate::confirm::confirmed;
use crate::database::{Database, Keep};
use crate::report::Report;
use crate::{keys, log};

pub(crate) async fn run(run: &Run) -> Result<ExitCode> {
    let env = run.env()?;
    let (began, at) = (Instant::now(), SystemTime::now());
    let sources = Sources {
        run,
        env,
        database: Database::open(run.servers.database()?, env).await?,
        gate: run.servers.redis()?,
    };
    let mut checks = sources.pass().await?;
    let mut passes = 1;
    let found = |checks: &[Check]| checks.iter().any(|check| !check.findings.is_empty());
    if !run.over && found(&checks) {
        let pause = run.pause;
        eprintln!("ticket-audit: the first pass found differences; the second one in {pause} s");
        tokio::time::sleep(Duration::from_secs(pause)).await;
        checks = confirmed(&checks, sources.pass().await?);
        passes = 2;
    }
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    run.publish(&Report {
        env: env.to_owned(),
        over: run.over,
        passes,
        began_ms: since_1970.as_millis() as u64,
        took_ms: began.elapsed().as_millis() as u64,
        checks,
    })
}

struct Sources<'a> {
    run: &'a Run,
    env: &'a str,
    database: Database,
    gate: Link,
}

impl Sources<'_> {
    /// Reads everything, and runs the checks. The client logs first, which only grow; then Redis: an
    /// order is reserved before it is stored.
    async fn pass(&self) -> Result<Vec<Check>> {
        let log = match &self.run.logs {
            Some(logs) => log::read(logs)?,
            None => log::Log::default(),
        };
        let programs = self.database.programs().await?;
        let gate = keys::read(&self.gate, self.env, &programs).await?;
        let named: BTreeSet<String> = gate.orders();
        let keep = match &self.run.logs {
            Some(_) => Keep::All,
            None => Keep::Needed(&named),
        };
        let tables = self.database.tables(keep).await?;
        Ok(check::all(&Evidence {
            log,
            tables,
            gate,
            bounds: Bounds {
                over: self.run.over,
                logs: self.run.logs.is_some(),
                parked: self.run.parked,
                allow_rejected: self.run.allow_rejected,
            },
        }))
    }
}
