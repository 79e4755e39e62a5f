//! Greets each guest whom a record names. A record that cannot be read is reported; its partition resumes there.

use lambda_batch::{BatchProcessor, HandlerError, KafkaBatch, KafkaRecord};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Guest {
    name: String,
}

async fn greet(record: KafkaRecord<'_>) -> Result<(), HandlerError> {
    let guest: Guest = record.parse_json()?;
    println!("Hello, {}", guest.name);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let processor = &BatchProcessor::new(greet);
    let handle = |event: LambdaEvent<KafkaBatch>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(processor.process(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    async fn failed(event: &str) -> Vec<i64> {
        let batch: KafkaBatch = serde_json::from_str(event).unwrap();
        let deadline = SystemTime::now() + Duration::from_secs(30);
        let response = BatchProcessor::new(greet).process(&batch, deadline).await;
        let items = response.items.into_iter();
        items.map(|item| item.identifier.offset).collect()
    }

    #[tokio::test]
    async fn a_good_record_is_done() {
        let event = include_str!("../../../events/%FOLDER%/one.json");
        assert!(failed(event).await.is_empty());
    }

    #[tokio::test]
    async fn a_partition_resumes_at_its_unreadable_record() {
        let event = include_str!("../../../events/%FOLDER%/one-bad.json");
        assert_eq!(failed(event).await, [8]);
    }
}
