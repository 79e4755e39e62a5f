//! Shrinks the pictures that a queue names. This file only wires.

mod ppm;
mod thumbnail;

use lambda_batch::{BatchProcessor, SqsBatch, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use thumbnail::Thumbnailer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let thumbnailer = Thumbnailer {
        pictures: std::env::var("PICTURES")?.into(),
        thumbnails: std::env::var("THUMBNAILS")?.into(),
        longest_side: std::env::var("LONGEST_SIDE")?.parse()?,
    };
    let message = async |message: &SqsMessage| thumbnailer.shrink(message);
    let processor = &BatchProcessor::new(message);
    let batch = |event: LambdaEvent<SqsBatch>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(processor.process(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(batch)).await
}
