//! A function that decodes its batch and does nothing else. `SOURCE` names what its batches hold:
//! records of `kafka` (the default), or messages of `sqs`. If `LATENCY_TO` names a file, the value
//! of each record is its send time (nanoseconds since 1970), and the function writes its age to
//! that file.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_batch::{KafkaBatch, MessageBody, Payload, SqsBatch};
use lambda_runtime::{Error, LambdaEvent, service_fn};

/// The file of latencies, if there is one.
static LATENCIES: LazyLock<Option<String>> = LazyLock::new(|| {
    let file = std::env::var("LATENCY_TO").ok();
    file.filter(|file| !file.is_empty())
});

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("SOURCE").is_ok_and(|source| source == "sqs") {
        let function = |event: LambdaEvent<SqsBatch>| async move { messages(&event.payload) };
        lambda_runtime::run_concurrent(service_fn(function)).await
    } else {
        let function = |event: LambdaEvent<KafkaBatch>| async move { records(&event.payload) };
        lambda_runtime::run_concurrent(service_fn(function)).await
    }
}

fn records(batch: &KafkaBatch) -> Result<(), Error> {
    let values = batch.records().map(|record| match record.value {
        Payload::Bytes(value) => value,
        _ => b"",
    });
    handle(values)
}

fn messages(batch: &SqsBatch) -> Result<(), Error> {
    let bodies = batch.messages.iter().map(|message| match &message.body {
        MessageBody::Text(body) => body.as_bytes(),
        MessageBody::Bad { .. } => b"",
    });
    handle(bodies)
}

fn handle<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<(), Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut bytes = 0;
    let mut lines = String::new();
    for value in values {
        bytes += value.len();
        if LATENCIES.is_some() {
            let sent: u128 = std::str::from_utf8(value)?.trim().parse()?;
            writeln!(lines, "{}", now.saturating_sub(sent))?;
        }
    }
    black_box(bytes);
    if let Some(file) = LATENCIES.as_deref() {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)?
            .write_all(lines.as_bytes())?;
    }
    Ok(())
}
