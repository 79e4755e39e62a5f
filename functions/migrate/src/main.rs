//! Updates the schema of an environment. Invoked once per deployment, before traffic; safe to
//! repeat.
//!
//! The event is ignored. The response lists the migrations that were applied:
//! `{"schema":"demo","applied":["0001_sale"],"version":1}`. With roles to give rights to it also has
//! `"granted":["sale_writer"]`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use migrate::Settings;
use serde::de::IgnoredAny;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let store = Store::connect(
        settings.database.as_str(),
        &settings.names,
        settings.connections,
    )?;
    let run = move |_: LambdaEvent<IgnoredAny>| {
        let (store, roles) = (store.clone(), settings.roles.clone());
        async move { store.migrate_for(&roles).await.map_err(Error::from) }
    };
    lambda_runtime::run_concurrent(service_fn(run)).await
}
