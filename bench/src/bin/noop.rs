//! A function that decodes its batch and does nothing else. If `LATENCY_TO` names a file, each
//! record's value is its send time (nanoseconds since 1970), and the function writes its age to
//! that file.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_batch::{KafkaBatch, Payload};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let file = std::env::var("LATENCY_TO")
        .ok()
        .filter(|file| !file.is_empty());
    let file = file.as_deref();
    lambda_runtime::run(service_fn(|event: LambdaEvent<KafkaBatch>| async move {
        handle(&event.payload, file)
    }))
    .await
}

fn handle(batch: &KafkaBatch, latencies: Option<&str>) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut bytes = 0;
    let mut lines = String::new();
    for record in batch.records() {
        let Payload::Bytes(value) = record.value else {
            continue;
        };
        bytes += value.len();
        if latencies.is_some() {
            let sent: u128 = std::str::from_utf8(value)?.trim().parse()?;
            writeln!(lines, "{}", now.saturating_sub(sent))?;
        }
    }
    black_box(bytes);
    if let Some(file) = latencies {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)?
            .write_all(lines.as_bytes())?;
    }
    Ok(())
}
