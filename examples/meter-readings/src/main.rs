//! Writes meter readings from Kafka into a ledger. This file only wires.

mod readings;

use std::fs::OpenOptions;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use readings::{Event, record};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let ledger = std::env::var("LEDGER")?;
    let ledger = &ledger;
    let work = |event: LambdaEvent<Event>| async move {
        let file = OpenOptions::new().append(true).create(true).open(ledger)?;
        let count = record(&event.payload, file)?;
        println!("{count} readings");
        Ok::<Value, Error>(json!({ "readings": count }))
    };
    lambda_runtime::run(service_fn(work)).await
}
