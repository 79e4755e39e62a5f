//! Wires order-create: settings, adapters, handler.

use lambda_batch::KafkaBatch;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use order_create::{Creator, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let creator = &Creator::open(settings)?;
    let batch = |event: LambdaEvent<KafkaBatch>| async move {
        Ok::<_, Error>(creator.handle(&event.payload).await)
    };
    let run = lambda_runtime::run(service_fn(batch));
    creator.tracer.serve(run).await
}
