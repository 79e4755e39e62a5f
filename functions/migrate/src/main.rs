//! Updates the schema of an environment. Invoked once per deployment, before traffic; safe to
//! repeat.
//!
//! The event is ignored. The response lists the migrations that were applied:
//! `{"schema":"demo","applied":["0001_sale"],"version":1}`.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use migrate::Settings;
use serde::de::IgnoredAny;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    // Migrations run one after the other, so one connection is enough.
    let store = &Store::connect(settings.database.as_str(), &settings.names, 1)?;
    let run =
        |_: LambdaEvent<IgnoredAny>| async move { store.migrate().await.map_err(Error::from) };
    lambda_runtime::run(service_fn(run)).await
}
