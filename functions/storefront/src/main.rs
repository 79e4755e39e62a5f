//! Reads the settings, opens the adapters and answers requests.

use std::sync::Arc;

use lambda_http::{Error, Request, service_fn};
use storefront::{App, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let app = Arc::new(App::open(settings)?);
    let handler = app.clone();
    let answer = move |request: Request| {
        let app = handler.clone();
        async move { Ok::<_, Error>(app.answer(request).await) }
    };
    let run = lambda_http::run_concurrent(service_fn(answer));
    app.tracer.serve(run).await
}
