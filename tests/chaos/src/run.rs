//! One run: start, sale under faults, settling, check, report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::net::free_address;
use ticket_rush::api::ApiClient;
use ticket_rush::client_log::{ClientLog, now_ms};
use ticket_rush::host::Environment;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::prepare::prepare;
use ticket_rush::provider::RefundProvider;
use ticket_rush::rush::Rush;
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use crate::checker::{self, Expected};
use crate::faults::{Applied, Target, apply_all};
use crate::hosts::RunningHost;
use crate::place::resources;
use crate::report::{self, Report};
use crate::sale::{Sale, counts, until_final, until_open};
use crate::schedule::Plan;
use crate::servers::OwnServers;

/// Environment prefix. The servers are of this run only.
const PREFIX: &str = "chaos";
/// Key of the payment provider, as in usher.toml.
const WEBHOOK_SECRET: &str = "for-this-machine-only";
/// Key of the provider's refunds.
const REFUND_SECRET: &str = "of-refunds-under-faults-only";
/// Requests in flight: more than the concurrency of payments, so that some are refused.
const REQUESTS: u32 = 48;
/// How long everything may take to be final after the last buyer and the last fault.
const SETTLING: Duration = Duration::from_mins(2);

/// What to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Decides buyers and faults.
    pub seed: u64,
    /// Sale and faults.
    pub plan: Plan,
    /// Buyers that arrive in a second.
    pub rate: u32,
    /// Number of hosts, at least one: they share consumer groups and ticks, and buyers take them by
    /// turns.
    pub hosts: u32,
    /// Folder of the client log, the logs of the hosts and the report. It does not exist.
    pub folder: PathBuf,
    /// The command that repeats the run.
    pub command: String,
}

/// Runs it, and writes `report.html` into the folder. An error says nothing about the system:
/// something could not be started or read.
pub async fn run(options: &Options, progress: impl Fn(&str)) -> Result<Report> {
    let logs = options.folder.join("clients");
    ensure!(
        !options.folder.exists(),
        "{} has the logs of an earlier run",
        options.folder.display()
    );
    let log = ClientLog::create(&logs)?;
    let provider = RefundProvider::start(REFUND_SECRET, log.clone()).await?;
    progress("starting servers");
    let servers = OwnServers::start(options.hosts as usize, provider.port()).await;
    let environment = environment(options, &servers).await?;
    let keys = prepare(&environment, |_| ()).await?;
    let mut hosts = Vec::new();
    let mut addresses = Vec::new();
    for n in 0..options.hosts as usize {
        let folder = environment.state.with_file_name(format!("host-{n}"));
        let environment = host_environment(&environment, &folder, servers.addresses(n))?;
        addresses.push(environment.http);
        hosts.push(RunningHost::start(environment, &folder).await?);
    }
    let base = format!("http://{}", environment.http);
    let api = ApiClient::new(&base, WEBHOOK_SECRET, log.clone())?;
    api.serve_at(&addresses);
    let permits = Arc::new(Semaphore::new(REQUESTS as usize));
    let sale = Sale {
        api,
        keys,
        permits: permits.clone(),
        seed: options.seed,
        rate: options.rate,
        pay_window: options.plan.pay_window,
    };
    let target = Arc::new(Target {
        servers,
        hosts,
        turn: AtomicUsize::new(0),
        prefix: PREFIX.to_owned(),
        log,
        permits,
        requests: REQUESTS,
        poison: AtomicUsize::new(0),
        locks: resources().map(|one| (one, Mutex::new(()))).collect(),
    });

    progress("the sale begins");
    let start = Instant::now();
    let began = now_ms();
    let show = |fault: &Applied| progress(&line(fault, began));
    let (rushes, faults) = tokio::join!(
        sale.run(start, options.plan.duration),
        apply_all(&target, options.plan.faults.clone(), start, show)
    );
    let rushes = rushes?;
    let ended = now_ms();

    progress("waiting until every order is final");
    let settling = Instant::now();
    let open = until_final(&rushes, SETTLING).await;
    until_open(&rushes, SETTLING).await;
    let expected = Expected {
        parked: target.parked(),
        gate_lost_data: faults
            .iter()
            .any(|fault| fault.result.is_ok() && fault.kind.loses_gate_data()),
    };
    let checked = Environment {
        servers: target.servers.direct().await,
        ..environment
    };
    let left = SETTLING
        .saturating_sub(settling.elapsed())
        .max(options.plan.pay_window);
    let passed = checker::until_passed(&checked, &logs, expected, left).await?;
    let settled_after = (passed.ok && open.is_empty()).then(|| settling.elapsed());
    // What the drain changes counts as well.
    for host in &target.hosts {
        host.stop().await?;
    }
    let audit = checker::audit(&checked, &logs, expected).await?;
    let states = checker::orders_by_state(&checked.servers.database_url).await?;
    let report = Report {
        seed: options.seed,
        command: options.command.clone(),
        duration: options.plan.duration,
        settled_after,
        faults,
        answers: report::read(&logs.join("clients.jsonl"), [began, ended])?,
        states,
        open,
        unexpected: unexpected(&rushes),
        received: received(&rushes),
        audit,
    };
    report::write(&report, &options.folder.join("report.html"))?;
    Ok(report)
}

/// An environment with short times, whose servers are reached without relays.
async fn environment(options: &Options, servers: &OwnServers) -> Result<Environment> {
    let folder = std::path::absolute(&options.folder).context("the folder of the run")?;
    let numbers = [
        ("PayWindowSeconds", options.plan.pay_window.as_secs()),
        ("MinPayWindowSeconds", 3),
        ("PublishWindowMs", 5000),
        ("DeliveryTimeoutMs", 2500),
        ("SweepEverySeconds", 2),
        ("LeaseMs", 2000),
        ("OrderCreateTimeoutSeconds", 6),
        ("TimeoutCloserTimeoutSeconds", 6),
        ("RefundTimeoutMs", 2000),
        // Payments need a session each, and the pool of the database is small.
        ("StorefrontPaymentsConcurrency", 32),
    ];
    let texts = [
        (
            "ApiFilesFolder",
            folder.join("api-calls").display().to_string(),
        ),
        ("RefundSecret", REFUND_SECRET.to_owned()),
        (
            "RefundUrl",
            RefundProvider::url_at(servers.network.provider_port()),
        ),
    ];
    let numbers = numbers.map(|(name, value)| (name, value.to_string()));
    let parameters = numbers.into_iter().chain(texts);
    Ok(Environment {
        checkout: Checkout::find()?,
        template: None,
        prefix: PREFIX.to_owned(),
        servers: servers.direct().await,
        keys: folder.join("keys"),
        http: free_address(),
        control: free_address(),
        parameters: parameters
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        schedules: true,
        state: folder.join("state"),
        log: folder.join("usher.log"),
    })
}

/// The environment of one host, on ports and in a folder of its own.
fn host_environment(
    environment: &Environment,
    folder: &Path,
    servers: Servers,
) -> Result<Environment> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(Environment {
        servers,
        http: free_address(),
        control: free_address(),
        state: folder.join("state"),
        log: folder.join("usher.log"),
        ..environment.clone()
    })
}

fn line(fault: &Applied, began: u64) -> String {
    let seconds = |time: u64| time.saturating_sub(began) as f64 / 1000.0;
    let [from, to] = fault.span.map(seconds);
    let result = match &fault.result {
        Ok(result) => result.clone(),
        Err(error) => format!("not applied: {error:#}"),
    };
    format!("{from:6.1} s to {to:6.1} s  {}: {result}", fault.kind)
}

fn received(rushes: &[Rush]) -> BTreeMap<&'static str, u64> {
    let mut all = BTreeMap::new();
    for counts in counts(rushes) {
        *all.entry("order accepted").or_default() += counts.accepted.len() as u64;
        for (name, count) in counts.named {
            *all.entry(name).or_default() += count;
        }
    }
    all
}

fn unexpected(rushes: &[Rush]) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for text in counts(rushes)
        .into_iter()
        .flat_map(|counts| counts.unexpected)
    {
        *all.entry(text).or_default() += 1;
    }
    all
}
