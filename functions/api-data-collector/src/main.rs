//! Wires api-data-collector: settings, adapter, handler.

use std::sync::Arc;

use api_data_collector::{Collector, Settings};
use lambda_batch::KafkaBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let collector = Arc::new(Collector::open(settings, &access)?);
    let batch = move |event: LambdaEvent<KafkaBatch>| {
        let collector = collector.clone();
        async move { Ok::<_, Error>(collector.handle(&event.payload).await) }
    };
    lambda_runtime::run_concurrent(service_fn(batch)).await
}
