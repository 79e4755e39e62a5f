//! Faults injected during the sale: functions killed while they handle events, and Kafka stopped.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ticket_rush::api::{Buyer, SeatSelection};
use ticket_rush::host::StatusClient;
use ticket_rush::kill::kill_busy;
use ticket_rush::locations::Checkout;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;
use crate::output;

/// How long Kafka is stopped.
const OUTAGE: Duration = Duration::from_secs(5);
/// How long to look for a busy process before an idle one is suspended.
const CATCH: Duration = Duration::from_secs(3);

/// Injects all faults. Returns whether the answers during the outage are correct.
pub(crate) async fn inject(
    checkout: &Checkout,
    status_client: &StatusClient,
    rush: &Rush,
    probe: &Buyer,
    seats: Vec<u32>,
    deadline: Duration,
) -> Result<bool> {
    sleep(Duration::from_secs(1)).await;
    for function in ["OrderCreate", "Storefront", "TimeoutCloser"] {
        let killed = kill_busy(status_client, function, CATCH).await?;
        let load = if killed.records > 0 {
            format!(" with {} records in flight", killed.records)
        } else {
            " during a call".to_owned()
        };
        output::fault(&format!("killed {function} (process {}){load}", killed.pid));
    }
    servers(checkout, "stop").await?;
    let began = Instant::now();
    output::fault("Kafka has stopped");
    let correct = order_without_kafka(rush, probe, &seats, deadline).await;
    sleep(OUTAGE.saturating_sub(began.elapsed())).await;
    servers(checkout, "start").await?;
    output::fault(&format!(
        "Kafka runs again after {} s",
        began.elapsed().as_secs()
    ));
    let back = seats_are_free(rush, &seats).await?;
    output::done(&format!(
        "the seats of the refused buyer are free again ({} s after Kafka restarted)",
        back.as_secs()
    ));
    Ok(correct)
}

/// Orders while Kafka is stopped, and checks the refusal.
async fn order_without_kafka(
    rush: &Rush,
    probe: &Buyer,
    seats: &[u32],
    deadline: Duration,
) -> bool {
    let selection = SeatSelection::Seats(seats.to_vec());
    let answer = rush
        .api
        .order(
            probe,
            &rush.program,
            2,
            &selection,
            Some("while-kafka-is-away"),
            0,
        )
        .await;
    // The deadline covers the broker only.
    let correct = answer.http == 503
        && answer.retry_after.is_some()
        && answer.took < deadline + Duration::from_secs(2);
    let observed = format!(
        "an order was answered {} ({}) after {:.1} s, Retry-After {}",
        answer.http,
        answer.code().unwrap_or("no code"),
        answer.took.as_secs_f64(),
        answer
            .retry_after
            .map_or("missing".to_owned(), |s| format!("{s} s")),
    );
    if correct {
        output::done(&observed);
    } else {
        output::fault(&format!("WRONG: {observed}"));
    }
    correct
}

/// Waits until the refused buyer's seats are free.
async fn seats_are_free(rush: &Rush, seats: &[u32]) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let answer = rush.api.seats(&rush.program, 2).await;
        let first = answer.body["first_seat"].as_u64().unwrap_or(0);
        let map: String = answer.body["rows"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|r| r.as_str())
            .collect();
        if answer.ok()
            && seats
                .iter()
                .all(|s| map.as_bytes().get((u64::from(*s) - first) as usize) == Some(&b'.'))
        {
            return Ok(began.elapsed());
        }
        if began.elapsed() > Duration::from_mins(1) {
            bail!("seats {seats:?} are still taken a minute after Kafka restarted");
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Starts Kafka, if it does not run.
pub(crate) async fn restart_kafka(checkout: &Checkout) -> Result<()> {
    servers(checkout, "start").await
}

async fn servers(checkout: &Checkout, verb: &str) -> Result<()> {
    let script = checkout.file("scripts/servers");
    let output = Command::new(&script)
        .args([verb, "kafka"])
        .current_dir(&checkout.root)
        .output()
        .await;
    let output = output.with_context(|| format!("cannot run {}", script.display()))?;
    if !output.status.success() {
        bail!(
            "scripts/servers {verb} kafka failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
