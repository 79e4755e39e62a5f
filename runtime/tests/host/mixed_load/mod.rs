//! One host under good records and every kind of bad input at once: the numbers of sent and
//! processed records agree exactly.
//!
//! `MIXED_SECONDS` sets the duration (default 10). Each second 200 good records arrive in four
//! partitions, and five of each kind of bad input: header names that are not UTF-8, batches
//! compressed with zstd, committed and aborted transactions, records that always fail, records
//! whose failure record exceeds the destination's limit, and records that are deleted after their
//! acknowledgement (the host may read them before). Every 30 seconds a second member with the
//! mapping's member name fences it.

mod environment;
mod input;

use std::time::Duration;

use environment::TestEnvironment;
use input::{Load, ROUND};
use testkit::{eventually, eventually_within};
use tokio::time::{Instant, MissedTickBehavior, interval};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_under_a_mixed_load_of_bad_input() {
    let seconds = std::env::var("MIXED_SECONDS")
        .map_or(10, |text| text.parse().expect("MIXED_SECONDS is a number"));
    let environment = TestEnvironment::new().await;
    let mut host = environment.up();
    eventually("the host answers", async || {
        reqwest::get(format!("http://{}/health", environment.control))
            .await
            .ok()
    })
    .await;

    let mut load = Load::new(&environment);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut ticks = interval(ROUND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for round in 0.. {
        ticks.tick().await;
        load.round(round).await;
        if Instant::now() > end {
            break;
        }
    }
    let sent = load.sent;
    let fencings = futures::future::join_all(load.fencings).await;
    let mut processed = environment.processed();
    while !processed.is_superset(&sent.good) {
        let before = processed.len();
        let more = async || Some(environment.processed()).filter(|now| now.len() > before);
        // A partition stands still while another member holds it, and while its record fails twice.
        let limit = Duration::from_mins(3);
        let missing: Vec<&String> = sent.good.difference(&processed).take(10).collect();
        let what = format!("further records are processed, of those {missing:?}");
        processed = eventually_within(limit, &what, more).await;
    }
    let (whole, reduced) = environment.failure_records(&sent).await;
    assert!(
        host.0.try_wait().unwrap().is_none(),
        "the host has not ended"
    );
    let fenced = fencings
        .iter()
        .filter(|fenced| *fenced.as_ref().unwrap())
        .count();
    assert!(
        fenced > 0,
        "a second member took the partitions, and the mapping recovered"
    );
    assert!(sent.deletions > 0, "records were deleted");
    println!(
        "in {seconds} s: {} good records processed, {} aborted ones excluded, {} failing in the destination, {} of \
         them          without payload, {} of {} read before their deletion, fenced {} times",
        sent.good.len(),
        sent.aborted.len(),
        whole.len() + reduced.len(),
        reduced.len(),
        processed.intersection(&sent.deleted).count(),
        sent.deleted.len(),
        fenced,
    );

    let more: Vec<_> = processed
        .difference(&sent.good)
        .filter(|value| !sent.deleted.contains(*value))
        .collect();
    assert_eq!(more, Vec::<&String>::new(), "no other record was processed");
    assert_eq!(
        (whole, reduced),
        (sent.failing, sent.oversize),
        "the destination has each failing record"
    );
}
