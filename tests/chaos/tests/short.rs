//! The short form: some seconds of sale under faults, as in `make chaos`.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use chaos::kind::Kind;
use chaos::run::{Options, run};
use tempfile::TempDir;

/// Buyers arrive for so long: enough for half a dozen faults.
const SALE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_sale_under_faults_violates_no_invariant() -> Result<()> {
    let folder = TempDir::new()?;
    // Those that wait for longer than the sale lasts belong to the long form.
    let quick = |kind: &Kind| !matches!(kind, Kind::PauseOrderCreate | Kind::RecreateTopic);
    let options = Options {
        seed: 1,
        duration: SALE,
        rate: 10,
        hosts: 1,
        kinds: Kind::all().into_iter().filter(quick).collect(),
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
    assert!(applied.count() >= 4, "{:#?}", report.faults);
    let page = fs::read_to_string(folder.path().join("report.html"))?;
    assert!(page.contains("no seat is sold twice"), "{page}");
    Ok(())
}
