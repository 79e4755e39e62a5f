//! Reads the settings, opens the adapters and answers one request after another.

use lambda_http::{Error, service_fn};
use storefront::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let app = App::open(settings)?;
    let run = lambda_http::run(service_fn(|request| async {
        Ok::<_, Error>(app.answer(request).await)
    }));
    app.tracer.serve(run).await
}
