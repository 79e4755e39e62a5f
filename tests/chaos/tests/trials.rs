//! Trials of docs/reference/trials.md that are sales under fixed faults, in their short forms, and a
//! sale under faults of a seed. The audit judges each.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use chaos::kind::Kind;
use chaos::place::{Path, Server};
use chaos::report::Report;
use chaos::run::{Options, run};
use chaos::schedule::Plan;
use chaos::trial::trial;
use tempfile::TempDir;
use tokio::sync::Semaphore;

/// Runs at one time: each has servers of its own, and mostly waits.
static RUNS: Semaphore = Semaphore::const_new(2);
/// Buyers that arrive in a second.
const RATE: u32 = 10;

/// Runs a sale in `folder`, which no invariant may be violated by.
async fn passed(folder: &TempDir, hosts: u32, plan: Plan) -> Result<Report> {
    let _run = RUNS.acquire().await?;
    let options = Options {
        seed: 1,
        rate: RATE,
        hosts,
        plan,
        folder: folder.path().join("run"),
        command: "make chaos".to_owned(),
    };
    let report = Box::pin(run(&options, |text| println!("{text}"))).await?;
    assert!(
        report.passed(),
        "open: {:?}, checks: {:#?}",
        report.open,
        report.audit.checks
    );
    assert!(report.orders() >= 30, "{} orders", report.orders());
    Ok(report)
}

/// Runs a trial. Each of its faults has to be applied.
async fn passes(name: &str, hosts: u32) -> Result<()> {
    let plan = trial(name, false).expect("a trial");
    let report = passed(&TempDir::new()?, hosts, plan).await?;
    let missed = report.faults.iter().filter(|fault| fault.result.is_err());
    let missed: Vec<_> = missed.collect();
    assert!(missed.is_empty(), "{missed:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_is_away_goes_back_or_is_full_loses_nothing() -> Result<()> {
    passes("gate-away", 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_gate_is_filled_under_load() -> Result<()> {
    passes("gate-emptied", 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_two_minutes_apart_decide_nothing() -> Result<()> {
    passes("clocks-apart", 2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebalances_and_a_killed_broker_lose_no_order() -> Result<()> {
    passes("rebalance", 2).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_order_create_costs_no_buyer_the_order() -> Result<()> {
    passes("order-create-stopped", 1).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_within_a_batch_loses_nothing() -> Result<()> {
    passes("database-killed", 1).await
}

/// Faults that are over soon. The long form has all of them.
const KINDS: [Kind; 5] = [
    Kind::KillFunction("StorefrontPayments"),
    Kind::HalfOpen(Path::Hosts(Server::Database)),
    Kind::HalfOpen(Path::Provider),
    Kind::Poison,
    Kind::Transaction,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_sale_under_faults_of_a_seed_violates_no_invariant() -> Result<()> {
    let folder = TempDir::new()?;
    let plan = Plan::drawn(1, Duration::from_secs(15), &KINDS);
    let report = passed(&folder, 1, plan).await?;
    let applied = report.faults.iter().filter(|fault| fault.result.is_ok());
    assert!(applied.count() >= 3, "{:#?}", report.faults);
    let page = fs::read_to_string(folder.path().join("run/report.html"))?;
    assert!(page.contains("no seat is sold twice"), "{page}");
    Ok(())
}
