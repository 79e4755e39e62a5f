//! Updates the schema of an environment. Invoked once per deployment, before traffic; safe to
//! repeat.
//!
//! A request of `CloudFormation` is answered at the URL that it names. The content of any other event
//! is ignored; the response lists the migrations that were applied:
//! `{"schema":"demo","applied":["0001_sale"],"version":1}`. With roles to give rights to it also has
//! `"granted":["sale_writer"]`.

use std::sync::Arc;
use std::time::SystemTime;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use migrate::{Settings, handle, migrate};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let settings = Arc::new(settings);
    let run = move |event: LambdaEvent<Value>| {
        let settings = settings.clone();
        async move {
            let left = event.context.deadline().duration_since(SystemTime::now());
            let time = left.unwrap_or_default();
            let schema = settings.names.schema();
            // On the heap: a migration is many statements.
            let migration = Box::pin(migrate(&settings));
            let answer = handle(&event.payload, &schema, time, migration).await;
            answer.map_err(Error::from)
        }
    };
    lambda_runtime::run_concurrent(service_fn(run)).await
}
