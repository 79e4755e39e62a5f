//! Brings an environment's schema up to date. Invoked once per deployment, before traffic; repeating it changes nothing.
//!
//! Whatever the event is, the answer says what was done: `{"schema":"demo","applied":["0001_sale"],"version":1}`.

use std::process::ExitCode;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use migrate::Settings;
use serde::de::IgnoredAny;
use shared::store::Store;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    // One deployment migrates at a time, and a migration is one transaction: one connection is all it can use.
    let store = Store::connect(settings.database.as_str(), &settings.names, 1)?;
    let store = &store;
    let run =
        |_: LambdaEvent<IgnoredAny>| async move { store.migrate().await.map_err(Error::from) };
    lambda_runtime::run(service_fn(run)).await?;
    Ok(ExitCode::SUCCESS)
}
