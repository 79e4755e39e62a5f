//! Wires order-create: settings, adapters, handler.

use std::process::ExitCode;

use lambda_batch::KafkaBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use order_create::{Creator, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let creator = Creator::open(settings)?;
    let creator = &creator;
    let batch = |event: LambdaEvent<KafkaBatch>| async move {
        Ok::<_, Error>(creator.handle(&event.payload).await)
    };
    creator
        .tracer
        .serve(lambda_runtime::run(service_fn(batch)))
        .await?;
    Ok(ExitCode::SUCCESS)
}
