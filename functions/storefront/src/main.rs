//! Wires the storefront: settings, adapters, then one request after the other.

use std::process::ExitCode;

use lambda_http::{Error, service_fn};
use shared::config::Reader;
use storefront::{Settings, Storefront};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let reader = Reader::from_env();
    shared::telemetry::init(&reader);
    let settings = match Settings::read(&reader) {
        Ok(settings) => settings,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(ExitCode::FAILURE);
        }
    };
    let storefront = Storefront::open(settings)?;
    lambda_http::run(service_fn(|request| async { Ok::<_, Error>(storefront.answer(request).await) })).await?;
    Ok(ExitCode::SUCCESS)
}
