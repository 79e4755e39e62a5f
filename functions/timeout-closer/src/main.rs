//! Wires the timeout-closer: settings, adapters, ticks.

use std::sync::Arc;

use lambda_batch::Tick;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use timeout_closer::{Closer, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let closer = Arc::new(Closer::open(settings, &access)?);
    let handler = closer.clone();
    let tick = move |event: LambdaEvent<Tick>| {
        let closer = handler.clone();
        async move {
            // The deadline in the event is not used: it is a time by the clock of another machine.
            let timeout = closer.settings.timeout;
            Ok::<_, Error>(closer.tick(&event.payload, timeout).await?)
        }
    };
    let run = lambda_runtime::run_concurrent(service_fn(tick));
    closer.tracer.serve(run).await
}
