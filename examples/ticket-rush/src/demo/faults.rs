//! What goes wrong on purpose during the rush: functions killed while they work, Kafka gone for a while.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use ticket_rush::fault::kill_at_work;
use ticket_rush::host::Watch;
use ticket_rush::place::Place;
use ticket_rush::shop::{Buyer, Want};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;
use crate::say;

/// How long Kafka stays away once it has stopped.
const AWAY: Duration = Duration::from_secs(5);
/// How long a function may go uncaught at work before an idle process of it is frozen until work is handed to it.
const CATCH: Duration = Duration::from_secs(3);

/// All of it, in order; true if the buyers were told what they must be told.
pub(crate) async fn strike(
    place: &Place,
    watch: &Watch,
    rush: &Rush,
    probe: &Buyer,
    seats: Vec<u32>,
    deadline: Duration,
) -> Result<bool> {
    sleep(Duration::from_secs(1)).await;
    for function in ["OrderCreate", "Storefront", "TimeoutCloser"] {
        let killed = kill_at_work(watch, function, CATCH).await?;
        let load = if killed.records > 0 {
            format!(" with {} records in flight", killed.records)
        } else {
            " during a call".to_owned()
        };
        say::fault(&format!("killed {function} (process {}){load}", killed.pid));
    }
    servers(place, "stop").await?;
    let began = Instant::now();
    say::fault("Kafka is stopped");
    let right = try_without_kafka(rush, probe, &seats, deadline).await;
    sleep(AWAY.saturating_sub(began.elapsed())).await;
    servers(place, "start").await?;
    say::fault(&format!(
        "Kafka is back after {} s",
        began.elapsed().as_secs()
    ));
    let back = seats_come_back(rush, &seats).await?;
    say::done(&format!(
        "the seats of the buyer who was sent away are free again ({} s after Kafka came back)",
        back.as_secs()
    ));
    Ok(right)
}

/// A buyer who comes while Kafka is away and leaves at the first refusal.
async fn try_without_kafka(rush: &Rush, probe: &Buyer, seats: &[u32], deadline: Duration) -> bool {
    let want = Want::Seats(seats.to_vec());
    let answer = rush
        .shop
        .order(
            probe,
            &rush.program,
            2,
            &want,
            Some("while-kafka-is-away"),
            0,
        )
        .await;
    // The deadline is the broker's; answering takes a moment more.
    let right = answer.http == 503
        && answer.retry_after.is_some()
        && answer.took < deadline + Duration::from_secs(2);
    let told = format!(
        "a buyer was answered {} ({}) after {:.1} s, Retry-After {}",
        answer.http,
        answer.code().unwrap_or("no code"),
        answer.took.as_secs_f64(),
        answer
            .retry_after
            .map_or("missing".to_owned(), |s| format!("{s} s")),
    );
    if right {
        say::done(&told);
    } else {
        say::fault(&format!("WRONG: {told}"));
    }
    right
}

/// Waits until somebody else could buy the probe's seats.
async fn seats_come_back(rush: &Rush, seats: &[u32]) -> Result<Duration> {
    let began = Instant::now();
    loop {
        let answer = rush.shop.seats(&rush.program, 2).await;
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
            bail!("seats {seats:?} are still taken a minute after Kafka came back");
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Has Kafka run again, wherever the faults broke off.
pub(crate) async fn mend(place: &Place) -> Result<()> {
    servers(place, "start").await
}

async fn servers(place: &Place, verb: &str) -> Result<()> {
    let script = place.file("scripts/servers");
    let output = Command::new(&script)
        .args([verb, "kafka"])
        .current_dir(&place.root)
        .output()
        .await;
    let output = output.with_context(|| format!("{} cannot be run", script.display()))?;
    if !output.status.success() {
        bail!(
            "scripts/servers {verb} kafka failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}
