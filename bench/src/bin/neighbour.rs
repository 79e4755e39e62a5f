//! A misbehaving function. In every invocation it does what `DO` says: `hang`, `crash`, or `flood`
//! its log.

use std::io::Write as _;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

/// A typical log line.
const LINE: &str =
    "2026-11-26T00:00:00.000000Z  INFO neighbour: a line without information, repeated often\n";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(_: LambdaEvent<IgnoredAny>) -> Result<(), Error> {
    match std::env::var("DO").as_deref() {
        Ok("hang") => std::future::pending().await,
        Ok("crash") => std::process::exit(7),
        _ => loop {
            std::io::stdout().write_all(LINE.as_bytes())?;
        },
    }
}
