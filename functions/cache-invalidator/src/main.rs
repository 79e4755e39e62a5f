//! Wires the cache-invalidator: settings, adapters, handler.

use std::process::ExitCode;

use cache_invalidator::{Invalidator, Settings};
use lambda_batch::SqsBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let invalidator = Invalidator::open(settings)?;
    let invalidator = &invalidator;
    let batch = |event: LambdaEvent<SqsBatch>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(invalidator.handle(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(batch)).await?;
    Ok(ExitCode::SUCCESS)
}
