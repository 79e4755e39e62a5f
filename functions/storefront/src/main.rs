//! Reads the settings, opens the adapters and answers requests.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use storefront::http::HttpEvent;
use storefront::{App, Settings};

// One thread in both models. Measured by `bench http` with two processes of 64 requests on two cores:
// with several threads, which wake one another and take over each other's requests, an order took a
// fifth more CPU time, and no more orders were accepted. More processes use more cores.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let settings = shared::start::settings(Settings::read);
    let access = shared::start::access(&settings.access).await;
    let app = Arc::new(App::open(settings, &access).await?);
    let handler = app.clone();
    let answer = move |event: LambdaEvent<HttpEvent>| {
        let app = handler.clone();
        // On the heap: the runtime moves it through several layers.
        Box::pin(async move { Ok::<_, Error>(app.answer(event.payload).await) })
    };
    let run = lambda_runtime::run_concurrent(service_fn(answer));
    app.tracer.serve(run).await
}
