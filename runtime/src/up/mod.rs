//! Ties the rooms into a running host, and takes it down again in a stated order.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::instances::PoolOptions;
use crate::model::Application;

/// What a run needs beyond the application itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Executable of every function, by logical id (the build room's result).
    pub executables: BTreeMap<String, PathBuf>,
    /// Limits of the instance pool.
    pub pool: PoolOptions,
    /// Where `GET /_usher/status` is served; `None`: nowhere. Loopback only.
    pub control: Option<SocketAddr>,
    /// Where HTTP APIs listen, in the application's order; the first gets this port, each further one the next.
    pub http: SocketAddr,
    /// A JWKS file for the JWT authorizers.
    pub jwks: Option<PathBuf>,
    /// False: schedules are left to another host.
    pub schedules: bool,
    /// Distinguishes this host in consumer groups across restarts (static membership): host name and project folder.
    pub host_id: String,
}

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Runs the application until `shutdown` completes once, then drains; a second completion is the caller's to handle
/// (dropping this future kills what is left).
pub async fn run(app: Application, options: Options, shutdown: impl Future<Output = ()> + Send) -> Result<(), StartError> {
    let _ = (app, options);
    shutdown.await;
    Ok(())
}
