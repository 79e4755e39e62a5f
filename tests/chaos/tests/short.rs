//! The short form: some seconds of sale under faults, as in `make chaos`.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use chaos::kind::{Kind, Server};
use chaos::run::{Options, run};
use tempfile::TempDir;

/// Buyers arrive for so long. Faults begin at most 5 s after one another, so four of them fit at
/// least; one may find no process that is busy.
const SALE: Duration = Duration::from_secs(20);
/// Faults that are over soon. The long form has all of them.
const KINDS: [Kind; 12] = [
    Kind::KillFunction("OrderCreate"),
    Kind::KillFunction("StorefrontPayments"),
    Kind::KillServer(Server::Gate),
    Kind::HalfOpen(Server::Database),
    Kind::HalfOpen(Server::Kafka),
    Kind::FlushScripts,
    Kind::FlushGate,
    Kind::GateFailover,
    Kind::DatabaseFailover,
    Kind::EndSessions,
    Kind::Poison,
    Kind::Transaction,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_sale_under_faults_violates_no_invariant() -> Result<()> {
    let folder = TempDir::new()?;
    let options = Options {
        seed: 1,
        duration: SALE,
        rate: 10,
        hosts: 1,
        kinds: KINDS.to_vec(),
        folder: folder.path().to_owned(),
        command: "make chaos".to_owned(),
    };
    let report = Box::pin(run(&options, |text| println!("{text}"))).await?;
    assert!(
        report.passed(),
        "open: {:?}, checks: {:#?}",
        report.open,
        report.audit.checks
    );
    assert!(report.orders() >= 100, "{} orders", report.orders());
    let applied = report.faults.iter().filter(|fault| fault.result.is_ok());
    assert!(applied.count() >= 3, "{:#?}", report.faults);
    let page = fs::read_to_string(folder.path().join("report.html"))?;
    assert!(page.contains("no seat is sold twice"), "{page}");
    Ok(())
}
