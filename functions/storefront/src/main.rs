//! Reads the settings, opens the adapters and answers one request after another.

use std::process::ExitCode;

use lambda_http::{Error, service_fn};
use storefront::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Error> {
    let Some(settings) = shared::start::settings(Settings::read) else {
        return Ok(ExitCode::FAILURE);
    };
    let app = App::open(settings)?;
    let run = lambda_http::run(service_fn(|request| async {
        Ok::<_, Error>(app.answer(request).await)
    }));
    app.tracer.serve(run).await?;
    Ok(ExitCode::SUCCESS)
}
