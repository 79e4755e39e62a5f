//! Wires the timeout-closer: settings, adapters, ticks.

use std::process::ExitCode;

use lambda_batch::Tick;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use timeout_closer::{Closer, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let closer = Closer::open(settings)?;
    let closer = &closer;
    let tick = |event: LambdaEvent<Tick>| async move {
        // The deadline in the event is not used: it is a time by the clock of another machine.
        closer
            .tick(&event.payload, closer.settings.timeout)
            .await
            .map_err(Error::from)
    };
    closer
        .tracer
        .serve(lambda_runtime::run(service_fn(tick)))
        .await?;
    Ok(ExitCode::SUCCESS)
}
