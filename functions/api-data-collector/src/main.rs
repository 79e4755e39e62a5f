//! Wires api-data-collector: settings, adapter, handler.

use std::process::ExitCode;

use api_data_collector::{Collector, Settings};
use lambda_batch::KafkaBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let collector = Collector::open(settings)?;
    let collector = &collector;
    let batch = |event: LambdaEvent<KafkaBatch>| async move {
        Ok::<_, Error>(collector.handle(&event.payload).await)
    };
    lambda_runtime::run(service_fn(batch)).await?;
    Ok(ExitCode::SUCCESS)
}
