//! Faults injected during the sale: functions killed while they handle events, and Kafka stopped.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::api::{Buyer, SeatSelection};
use ticket_rush::host::StatusClient;
use ticket_rush::kill::kill_busy;
use ticket_rush::locations::Checkout;
use ticket_rush::rush::Rush;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::DELIVERY;
use crate::output;

/// How long Kafka is stopped.
const OUTAGE: Duration = Duration::from_secs(5);
/// How long to look for a busy process before an idle one is suspended.
const CATCH: Duration = Duration::from_secs(3);

/// Injects all faults. During the outage, the buyer `probe` orders `seats` of the balcony. Returns
/// whether the answer is correct.
pub(crate) async fn inject(
    checkout: &Checkout,
    status_client: &StatusClient,
    rush: &Rush,
    probe: &Buyer,
    seats: &[u32],
) -> Result<bool> {
    sleep(Duration::from_secs(1)).await;
    for function in ["OrderCreate", "Storefront", "TimeoutCloser"] {
        let killed = kill_busy(status_client, function, CATCH).await?;
        let load = match killed.records {
            0 => "during a call".to_owned(),
            records => format!("with {records} records in flight"),
        };
        output::fault(&format!(
            "killed {function} (process {}) {load}",
            killed.pid
        ));
    }
    kafka(checkout, "stop").await?;
    let began = Instant::now();
    output::fault("Kafka has stopped");
    let correct = order_without_kafka(rush, probe, seats).await;
    sleep(OUTAGE.saturating_sub(began.elapsed())).await;
    kafka(checkout, "start").await?;
    let seconds = began.elapsed().as_secs();
    output::fault(&format!("Kafka runs again after {seconds} s"));
    let seconds = seats_are_free(rush, seats).await?.as_secs();
    output::done(&format!(
        "the seats of the refused buyer are free again ({seconds} s after Kafka restarted)"
    ));
    Ok(correct)
}

/// Orders while Kafka is stopped, and checks the refusal.
async fn order_without_kafka(rush: &Rush, probe: &Buyer, seats: &[u32]) -> bool {
    let selection = SeatSelection::Seats(seats.to_vec());
    let key = Some("while-kafka-is-away");
    let order = rush.api.order(probe, &rush.program, 2, &selection, key, 0);
    let answer = order.await;
    // The delivery timeout covers the broker only.
    let correct = answer.http == 503
        && answer.retry_after.is_some()
        && answer.took < DELIVERY + Duration::from_secs(2);
    let wrong = if correct { "" } else { "WRONG: " };
    let code = answer.code().unwrap_or("no code");
    let retry_after = answer.retry_after.map(|seconds| format!("{seconds} s"));
    let observed = format!(
        "{wrong}an order was answered {} ({code}) after {:.1} s, Retry-After {}",
        answer.http,
        answer.took.as_secs_f64(),
        retry_after.as_deref().unwrap_or("missing"),
    );
    output::checked(correct, &observed)
}

/// Waits until the refused buyer's seats are free.
async fn seats_are_free(rush: &Rush, seats: &[u32]) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let map = rush.api.seats(&rush.program, 2).await.body;
        let first = map["first_seat"].as_u64().unwrap_or(0);
        let rows = map["rows"].as_array().into_iter().flatten();
        let map: String = rows.filter_map(|row| row.as_str()).collect();
        let state = |seat: &u32| map.as_bytes().get((u64::from(*seat) - first) as usize);
        if seats.iter().all(|seat| state(seat) == Some(&b'.')) {
            return Ok(began.elapsed());
        }
        ensure!(
            began.elapsed() <= Duration::from_mins(1),
            "seats {seats:?} are still taken a minute after Kafka restarted"
        );
        sleep(Duration::from_millis(250)).await;
    }
}

/// Starts or stops Kafka.
pub(crate) async fn kafka(checkout: &Checkout, verb: &str) -> Result<()> {
    servers(checkout, verb, "kafka").await
}

/// Runs scripts/servers.
pub(super) async fn servers(checkout: &Checkout, verb: &str, server: &str) -> Result<()> {
    let script = checkout.root.join("scripts/servers");
    let mut command = Command::new(&script);
    command.args([verb, server]).current_dir(&checkout.root);
    let output = command.output().await;
    let output = output.with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "scripts/servers {verb} {server} failed:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
