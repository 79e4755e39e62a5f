//! Wires order-create: settings, adapters, then one batch after the other.

use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use order_create::{Creator, Settings};
use shared::config::Reader;
use shared::ingest::kafka::Batch;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let reader = Reader::from_env();
    shared::telemetry::init(&reader);
    let settings = match Settings::read(&reader) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let creator = Creator::open(settings)?;
    let creator = &creator;
    let batch = |event: LambdaEvent<Batch>| async move { Ok::<_, Error>(creator.handle(&event.payload).await) };
    lambda_runtime::run(service_fn(batch)).await?;
    Ok(ExitCode::SUCCESS)
}
