//! Prepares the Invoke API: its state, the host file, and the variable by which functions find it.

use std::net::SocketAddr;

use super::error::StartError;
use super::options::HostOptions;
use super::ports::Ports;
use crate::host_file::{HostFile, HostFileGuard};
use crate::ids::new_id;
use crate::invocation::Invoker;
use crate::invoke_api::{self, InvokeApi};
use crate::listener::Listener;
use crate::sources::AsyncQueue;
use sam_template::model::Application;

/// Where the AWS SDK of every language finds the address of Lambda before it derives AWS's own.
const LAMBDA_ENDPOINT: &str = "AWS_ENDPOINT_URL_LAMBDA";

/// Sets the address in the functions' environment, unless the template does. The host file is built
/// before, because it describes what the template says.
pub(super) fn set_endpoint(app: &mut Application, mut address: SocketAddr) {
    if address.ip().is_unspecified() {
        address.set_ip(invoke_api::DEFAULT.ip());
    }
    for function in app.functions.values_mut() {
        function
            .environment
            .entry(LAMBDA_ENDPOINT.to_owned())
            .or_insert_with(|| format!("http://{address}"));
    }
}

/// The file that describes this run.
pub(super) fn host_file(app: &Application, options: &HostOptions, ports: &Ports) -> HostFile {
    HostFile::new(
        new_id(),
        ports.invoke_api.address(),
        ports.control.as_ref().map(Listener::address),
        &app.functions,
        &options.executables,
    )
}

/// Writes the file into the state folder.
pub(super) fn write(file: &HostFile, options: &HostOptions) -> Result<HostFileGuard, StartError> {
    let folder = options.state.path();
    file.write(folder).map_err(|source| StartError::HostFile {
        folder: folder.to_owned(),
        source,
    })
}

/// The state of the Invoke API.
pub(super) fn api(
    app: &Application,
    options: &HostOptions,
    host: &HostFile,
    invoker: Invoker,
    queue: AsyncQueue,
) -> InvokeApi {
    InvokeApi {
        functions: app.functions.clone(),
        skipped: app.skipped.clone(),
        location: app.location.clone(),
        invoker,
        queue,
        logs: options.pool.logs.clone(),
        token: options.token.clone(),
        host_id: host.id.clone(),
    }
}
