//! Greets each guest whom a message names. A message that cannot be read is reported alone.

use lambda_batch::{BatchProcessor, HandlerError, SqsBatch, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Guest {
    name: String,
}

async fn greet(message: &SqsMessage) -> Result<(), HandlerError> {
    let guest: Guest = message.parse_json()?;
    println!("Hello, {}", guest.name);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let processor = &BatchProcessor::new(greet);
    let handle = |event: LambdaEvent<SqsBatch>| async move {
        let deadline = event.context.deadline();
        Ok::<_, Error>(processor.process(&event.payload, deadline).await)
    };
    lambda_runtime::run(service_fn(handle)).await
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    async fn failed(event: &str) -> Vec<String> {
        let batch: SqsBatch = serde_json::from_str(event).unwrap();
        let deadline = SystemTime::now() + Duration::from_secs(30);
        let response = BatchProcessor::new(greet).process(&batch, deadline).await;
        response.items.into_iter().map(|item| item.identifier).collect()
    }

    #[tokio::test]
    async fn a_good_message_is_done() {
        let event = include_str!("../../../events/%FOLDER%/one.json");
        assert!(failed(event).await.is_empty());
    }

    #[tokio::test]
    async fn an_unreadable_message_fails_alone() {
        let event = include_str!("../../../events/%FOLDER%/one-bad.json");
        assert_eq!(failed(event).await, ["2"]);
    }
}
