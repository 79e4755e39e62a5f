//! Wires the cache-invalidator: settings, adapters, handler.

use cache_invalidator::{Invalidator, Settings};
use lambda_batch::SqsBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let invalidator = Invalidator::open(settings, &access)?;
    let batch = move |event: LambdaEvent<SqsBatch>| {
        let invalidator = invalidator.clone();
        async move {
            let deadline = event.context.deadline();
            Ok::<_, Error>(invalidator.handle(&event.payload, deadline).await)
        }
    };
    lambda_runtime::run_concurrent(service_fn(batch)).await
}
