//! A function that does its neighbours no good, in every invocation what `DO` says: `hang`,
//! `crash`, or `flood` its log.

use std::io::Write as _;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::de::IgnoredAny;

/// A line as logs have them.
const LINE: &str = "2026-11-26T00:00:00.000000Z  INFO neighbour: something that nobody will ever \
    read, again and again and again\n";

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
