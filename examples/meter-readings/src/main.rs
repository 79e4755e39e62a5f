//! Writes meter readings from Kafka into a ledger. This file only wires.

mod readings;

use std::fs::OpenOptions;

use lambda_batch::{BatchProcessor, KafkaBatch, KafkaRecord};
use lambda_runtime::{Error, LambdaEvent, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let path = std::env::var("LEDGER")?;
    let ledger = OpenOptions::new().append(true).create(true).open(path)?;
    let record = async |record: KafkaRecord<'_>| readings::write(&record, &ledger);
    let processor = &BatchProcessor::new(record);
    let batch = |event: LambdaEvent<KafkaBatch>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(processor.process(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(batch)).await
}
