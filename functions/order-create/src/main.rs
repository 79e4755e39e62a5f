//! Wires order-create: settings, adapters, handler.

use std::sync::Arc;

use lambda_batch::KafkaBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use order_create::{Creator, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let creator = Arc::new(Creator::open(settings, &access)?);
    let handler = creator.clone();
    let batch = move |event: LambdaEvent<KafkaBatch>| {
        let creator = handler.clone();
        async move { Ok::<_, Error>(creator.handle(&event.payload).await) }
    };
    let run = lambda_runtime::run_concurrent(service_fn(batch));
    creator.tracer.serve(run).await
}
