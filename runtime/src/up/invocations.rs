//! What is asked of functions by name: the Invoke API, and the events that it and the schedules hand over.

use tokio::net::TcpListener;

use super::surroundings::{self, Face};
use super::{InvokeAt, Options, StartError};
use crate::asynchronous::{self, Driver, Queue, Settings};
use crate::instances::new_id;
use crate::invocation::Invoker;
use crate::invoke_api::{self, Api, Beacon, Definitions};
use crate::model::Application;

/// Where the AWS SDK of every language looks for the address of Lambda before it makes one up that is AWS's own.
const LAMBDA: &str = "AWS_ENDPOINT_URL_LAMBDA";

/// Opens the port. The default one may well be taken by another project's host; one that was asked for may not.
pub(super) async fn listen(at: InvokeAt) -> Result<TcpListener, StartError> {
    let face = |address| Face {
        address,
        what: "Invoke API",
        setting: "--listen",
    };
    match at {
        InvokeAt::Given(address) => surroundings::listen(face(address)).await,
        InvokeAt::Anywhere => match TcpListener::bind(invoke_api::DEFAULT).await {
            Ok(listener) => Ok(listener),
            Err(_) => {
                surroundings::listen(face(std::net::SocketAddr::new(invoke_api::DEFAULT.ip(), 0)))
                    .await
            }
        },
    }
    .map_err(StartError)
}

/// This run, and what its functions are started with: taken before [`tell_functions`] adds this run's address.
pub(super) fn definitions(app: &Application, options: &Options) -> Definitions {
    Definitions::of(&new_id(), &app.functions, &options.executables)
}

/// Functions that call others do so here, unless the template says otherwise.
pub(super) fn tell_functions(app: &mut Application, listener: &TcpListener) {
    let Ok(mut address) = listener.local_addr() else {
        return;
    };
    if address.ip().is_unspecified() {
        address.set_ip(invoke_api::DEFAULT.ip());
    }
    for function in app.functions.values_mut() {
        function
            .environment
            .entry(LAMBDA.to_owned())
            .or_insert_with(|| format!("http://{address}"));
    }
}

/// The events of this state folder.
pub(super) fn open(app: &Application, options: &Options) -> Result<(Queue, Driver), StartError> {
    let settings = Settings::of(app, options.pool.default_concurrency, options.aws_timing);
    asynchronous::open(options.state.path(), &settings).map_err(StartError)
}

/// The API, and the file by which it is found.
pub(super) fn api(
    app: &Application,
    options: &Options,
    listener: &TcpListener,
    invoker: Invoker,
    queue: Queue,
    run: &Definitions,
) -> Result<(Api, Beacon), StartError> {
    let wrong = |error: std::io::Error| {
        StartError(format!(
            "cannot write to {}: {error}",
            options.state.path().display()
        ))
    };
    let address = listener.local_addr().map_err(wrong)?;
    let host_id = run.id().to_owned();
    let beacon = Beacon::light(options.state.path(), run, address).map_err(wrong)?;
    tracing::info!(
        "Invoke API on http://{address} (aws lambda invoke --endpoint-url http://{address} ...)"
    );
    let functions = app.functions.clone();
    let logs = options.pool.logs.clone();
    let token = options.token.clone();
    let skipped = app.skipped.clone();
    let location = app.location.clone();
    Ok((
        Api {
            functions,
            skipped,
            location,
            invoker,
            queue,
            logs,
            token,
            host_id,
        },
        beacon,
    ))
}
