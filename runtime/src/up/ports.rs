//! The ports of a host.

use super::capacity::Capacity;
use super::error::StartError;
use super::options::{HostOptions, InvokeAt};
use crate::invoke_api;
use crate::listener::{BindError, Endpoint, Listener};
use sam_template::model::Application;

/// Every port of a host.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) invoke_api: Listener,
    /// Of the embedded queues.
    pub(super) queues: Option<Listener>,
    /// In the application's order.
    pub(super) apis: Vec<Listener>,
    pub(super) control: Option<Listener>,
}

impl Ports {
    /// Opens every port before anything starts, so that a port in use is an error message and not
    /// half a host.
    pub(super) async fn bind(
        app: &Application,
        options: &HostOptions,
        capacity: &Capacity,
    ) -> Result<Self, StartError> {
        let mut apis = Vec::new();
        for endpoint in options.endpoints(app) {
            let listener = Listener::bind(endpoint).await?;
            apis.push(listener.with_budget(capacity.public.clone()));
        }
        let control = options.control.and_then(|_| apis.pop());
        let queues = app.embedded_queues.map(|_| apis.remove(0));
        let invoke_api = bind_invoke_api(options.invoke).await?;
        Ok(Self {
            invoke_api: invoke_api.with_budget(capacity.public.clone()),
            queues,
            apis,
            control: control.map(|listener| listener.with_budget(capacity.control.clone())),
        })
    }

    /// Refuses new connections to functions. The control port stays open during a drain.
    pub(super) fn close(&self) {
        self.invoke_api.close();
        self.apis.iter().for_each(Listener::close);
    }
}

/// Another project's host may use the default port. A port that was given must be free.
async fn bind_invoke_api(at: InvokeAt) -> Result<Listener, BindError> {
    let any = Endpoint {
        setting: "--listen",
        ..Endpoint::loopback("Invoke API")
    };
    let at_address = |address| Endpoint { address, ..any };
    match at {
        InvokeAt::Given(address) => Listener::bind(at_address(address)).await,
        InvokeAt::Anywhere => match Listener::bind(at_address(invoke_api::DEFAULT)).await {
            Ok(listener) => Ok(listener),
            Err(_) => Listener::bind(any).await,
        },
    }
}
