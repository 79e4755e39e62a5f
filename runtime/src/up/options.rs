//! What a run needs beyond the application itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::control::LogSwitch;
use crate::embedded_queues;
use crate::http::KeyStore;
use crate::instances::PoolOptions;
use crate::invoke_api::InvokeToken;
use crate::listener::Endpoint;
use crate::state::StateFolder;
use sam_template::model::Application;
use sam_template::project::SettingChange;

/// What a run needs beyond the application itself.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// Executable of every function, by logical id.
    pub executables: BTreeMap<String, PathBuf>,
    /// Limits of the instance pool.
    pub pool: PoolOptions,
    /// Address of the control port ([`crate::control`]), loopback only; `None`: there is none.
    pub control: Option<SocketAddr>,
    /// Address of each HTTP API, by logical id; one without an address gets any free port of
    /// loopback.
    pub http: BTreeMap<String, SocketAddr>,
    /// Keys for the JWT authorizers.
    pub keys: Option<Arc<KeyStore>>,
    /// False: schedules are left to another host.
    pub schedules: bool,
    /// Gather batches and retry with the service's delays instead of as soon as possible.
    pub aws_timing: bool,
    /// File whose `[settings]` the host follows, and what they were when it was read.
    pub settings: Option<(PathBuf, Vec<SettingChange>)>,
    /// Changes what the host logs; `None`: the filter is fixed.
    pub log: Option<LogSwitch>,
    /// Folder of this host alone: its identity in consumer groups (static membership), stored
    /// events, the host file, the time up to which schedules have fired.
    pub state: StateFolder,
    /// Where the Invoke API listens.
    pub invoke: InvokeAt,
    /// What callers of other machines must send to the Invoke API; `None`: they are refused.
    pub token: Option<InvokeToken>,
}

/// An address for the Invoke API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeAt {
    /// This one.
    Given(SocketAddr),
    /// [`crate::invoke_api::DEFAULT`] if it is free, else any free port of loopback.
    Anywhere,
}

impl HostOptions {
    pub(super) fn endpoints(&self, app: &Application) -> Vec<Endpoint> {
        endpoints(app, &self.http, self.control)
    }
}

/// Where a host of this application listens: its embedded queues, each API in the application's
/// order, then the control port. `http` is by logical id; an API without an address gets any free port of loopback.
pub fn endpoints(
    app: &Application,
    http: &BTreeMap<String, SocketAddr>,
    control: Option<SocketAddr>,
) -> Vec<Endpoint> {
    let apis = app.apis.iter().map(|api| {
        let any = Endpoint::loopback(api.kind.name());
        Endpoint {
            address: http.get(&api.id).copied().unwrap_or(any.address),
            setting: "http",
            ..any
        }
    });
    let queues = app.embedded_queues.as_ref().map(embedded_queues::endpoint);
    let queues = queues.into_iter();
    queues
        .chain(apis)
        .chain(control.map(|address| Endpoint {
            address,
            purpose: "status",
            setting: "control",
        }))
        .collect()
}
