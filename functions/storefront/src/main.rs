//! Wires the storefront: settings, adapters, then one request after the other.

use std::process::ExitCode;

use lambda_http::{Error, service_fn};
use storefront::{Settings, Storefront};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let storefront = Storefront::open(settings)?;
    let run = lambda_http::run(service_fn(|request| async {
        Ok::<_, Error>(storefront.answer(request).await)
    }));
    storefront.tracer.serve(run).await?;
    Ok(ExitCode::SUCCESS)
}
