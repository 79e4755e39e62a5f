//! Ties the rooms into a running host, and takes it down again in a stated order.
//!
//! Start: check what cannot work and say all of it at once; ask the brokers and SQS whether they are there; make the
//! template's queues; open the events of earlier runs; then the pool, HTTP, the Invoke API, mappings and schedules, and last a line
//! for each thing that listens. End (`shutdown` turned): no new records, requests or schedules; what is in flight finishes and is
//! committed, within [`PoolOptions::drain`]; then the functions end. Any part that ends by itself ends the host in the same way, as
//! a failure.

mod invocations;
mod mappings;
mod parts;
mod preflight;
mod room;
mod settings;
mod surroundings;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::parts::Parts;
use self::room::Division;
use crate::control::{LogSwitch, Tuner};
use crate::http::{self, KeySet};
use crate::instances::{Pool, PoolOptions, epoch_ms};
use crate::invocation::Invoker;
use crate::invoke_api::{self, Token};
use crate::model::Application;
use crate::state::StateFolder;
use crate::tuning::{Settings, Wish};
use crate::waiting::turned;
use crate::{control, kafka, schedule};

pub use surroundings::{Face, missing};

/// What a run needs beyond the application itself.
#[derive(Debug, Clone)]
pub struct Options {
    /// Executable of every function, by logical id (the build room's result).
    pub executables: BTreeMap<String, PathBuf>,
    /// Limits of the instance pool.
    pub pool: PoolOptions,
    /// Where the host shows itself and is told ([`crate::control`]); `None`: nowhere. Loopback only.
    pub control: Option<SocketAddr>,
    /// Where each HTTP API listens, by logical id; one without an address gets any free port of loopback.
    pub http: BTreeMap<String, SocketAddr>,
    /// Keys for the JWT authorizers.
    pub keys: Option<Arc<KeySet>>,
    /// False: schedules are left to another host.
    pub schedules: bool,
    /// Gather and retry at the service's pace instead of as soon as possible.
    pub aws_timing: bool,
    /// File whose `[settings]` are followed while it runs, and what they say at the start.
    pub settings: Option<(PathBuf, Vec<Wish>)>,
    /// Changes what the host logs; `None`: nothing does.
    pub log: Option<LogSwitch>,
    /// Folder of this host alone: its identity in consumer groups (static membership), accepted events, where it is found, when
    /// schedules were last looked after.
    pub state: StateFolder,
    /// Where the Invoke API listens.
    pub invoke: InvokeAt,
    /// What callers of other machines must bring to the Invoke API; `None`: they are refused.
    pub token: Option<Token>,
}

/// An address for the Invoke API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvokeAt {
    /// This one.
    Given(SocketAddr),
    /// [`invoke_api::DEFAULT`] if it is free, else any free port of loopback.
    Anywhere,
}

impl Options {
    fn faces(&self, app: &Application) -> Vec<Face> {
        faces(app, &self.http, self.control)
    }
}

/// Where a host of this application listens: each API in the application's order, then the status if it is served.
/// `http` is by logical id; an API without an address gets any free port of loopback.
pub fn faces(app: &Application, http: &BTreeMap<String, SocketAddr>, control: Option<SocketAddr>) -> Vec<Face> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let apis = app.apis.iter().map(|api| {
        let address = http.get(&api.id).copied().unwrap_or(any);
        Face { address, what: api.kind.name(), setting: "http" }
    });
    apis.chain(control.map(|address| Face { address, what: "status", setting: "control" })).collect()
}

/// Name of the file within the state folder that says when schedules were last looked after.
const SCHEDULES_SEEN: &str = "schedules-seen";

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Why a host ended badly.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It did not start: what it was told cannot work.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It ran, until a part of it ended that nothing here starts anew.
    #[error("{0}. The host drained and ended; start it again once the cause is gone")]
    Ended(String),
}

/// Runs the application until `shutdown` completes, then drains and returns. Dropping the future instead kills what is left.
///
/// # Errors
/// Before anything has started, one message that names everything that is missing or cannot work. Later, after a drain,
/// the part that could not go on.
pub async fn run(mut app: Application, options: Options, shutdown: impl Future<Output = ()> + Send) -> Result<(), RunError> {
    preflight::check(&app, &options).await?;
    let listeners = bind(&app, &options).await?;
    let invoke_api = invocations::listen(options.invoke).await?;
    invocations::tell_functions(&mut app, &invoke_api);
    let queues = mappings::ready(&app).await?;
    let (stop, stopping) = watch::channel(false);
    let (events, driver) = invocations::open(&app, &options)?;
    let room = Division::of(&app, &options);
    let pool = Pool::new(&app, &options.executables, &room.pool(&options.pool));
    let invoker: Invoker = pool.clone();
    let mut parts = Parts::default();
    let driving = driver.run(invoker.clone(), stopping.clone(), options.pool.drain);
    parts.start("asynchronous events", driving.map(Ok));
    let (api, beacon) = invocations::api(&app, &options, &invoke_api, invoker.clone(), events.clone())?;
    let calls = invoke_api::serve(invoke_api, api, room.public.clone(), stopping.clone());
    parts.start("Invoke API", calls.map(Ok));

    let mut faces = Parts::default();
    for (api, listener) in app.apis.iter().zip(listeners.apis) {
        let (base, routes) = (api.base_path(), api.routes.len());
        tracing::info!(api = %api.id, "listening on http://{}{base} ({}, {routes} routes)", address(&listener), api.kind.name());
        let places = room.public.clone();
        let serving = http::serve_within(places, api.clone(), listener, options.keys.clone(), invoker.clone(), stopping.clone());
        faces.start(format!("API {}", api.id), serving);
    }
    let enabled: Vec<_> = app.schedules.iter().filter(|schedule| schedule.enabled && options.schedules).cloned().collect();
    for schedule in &enabled {
        tracing::info!(schedule = %schedule.id, "fires {} at {}", schedule.expression, schedule.function);
    }
    let (queue, mut until, memory) = (events.clone(), stopping.clone(), options.state.path().join(SCHEDULES_SEEN));
    let firing = async move {
        schedule::run(enabled, queue, Some(&memory), until.clone()).await;
        // there may be none, or none that fires again
        turned(&mut until).await;
    };
    parts.start("schedules", firing.map(Ok));
    let host = mappings::Host { app: &app, options: &options, invoker: &invoker, stopping: &stopping };
    let (kafka, sqs) = (host.start_kafka()?, host.start_sqs(queues));
    let mut mappings = Parts::default();
    let mut tuners = BTreeMap::new();
    let mut watches = (Vec::new(), Vec::new());
    for handle in kafka {
        let id = handle.status().mapping;
        watches.0.push(handle.watch());
        tuners.insert(id.clone(), handle.tuner());
        mappings.start(format!("mapping {id}"), handle.ended());
    }
    for handle in sqs {
        let id = handle.status().mapping;
        watches.1.push(handle.watch());
        tuners.insert(id.clone(), handle.tuner());
        mappings.start(format!("mapping {id}"), handle.ended());
    }
    let log = options.log.as_ref().map_or("", |log| &log.now);
    let gathers = if options.aws_timing { kafka::SERVICE_GATHERS } else { Duration::ZERO };
    let values = Settings::new(&app, options.pool.default_concurrency, log, gathers);
    let tuner = Arc::new(Tuner::new(values, tuners, (pool.clone(), events.clone()), options.log.clone()));
    // these never end, and are dropped last
    let mut watching = Parts::default();
    if let Some((file, wishes)) = options.settings.clone() {
        settings::begin(&tuner, &wishes)?;
        watching.start("following usher.toml", settings::follow(file, tuner.clone(), wishes).map(Ok));
    }
    if let Some(listener) = listeners.control {
        tracing::info!("live page on http://{}/_usher/", address(&listener));
        let host = control::Host {
            pool: pool.clone(),
            observations: options.pool.observations.clone(),
            kafka: watches.0,
            sqs: watches.1,
            events,
            places: vec![room.public.clone(), room.control.clone()],
            tuner,
            token: hex::encode(rand::random::<[u8; 16]>()),
            started_ms: epoch_ms(SystemTime::now()),
            app: app.clone(),
        };
        watching.start("live page", control::serve(listener, Arc::new(host), room.control).map(Ok));
    }
    tracing::info!(functions = app.functions.len(), mappings = mappings.len(), "ready");

    let failure = tokio::select! {
        () = shutdown => None,
        Some(why) = faces.ended() => Some(why),
        Some(why) = mappings.ended() => Some(why),
        Some(why) = parts.ended() => Some(why),
        Some(why) = watching.ended() => Some(why),
    };
    if let Some(why) = &failure {
        tracing::error!("ALARM: {why}");
    }
    tracing::info!("draining: no new records, requests or schedules; what is in flight finishes");
    let _ = stop.send(true);
    tokio::join!(mappings.drained(), faces.drained());
    // together: the pool refuses what still queues and bounds what is in flight, which the others wait for
    tokio::join!(pool.shutdown(), parts.drained());
    drop((beacon, watching));
    tracing::info!("stopped");
    failure.map_or(Ok(()), |why| Err(RunError::Ended(why)))
}

struct Listeners {
    apis: Vec<TcpListener>,
    control: Option<TcpListener>,
}

/// Opens every port before anything starts, so that a port in use is a message and not half a host.
async fn bind(app: &Application, options: &Options) -> Result<Listeners, StartError> {
    let mut open = Vec::new();
    for face in options.faces(app) {
        open.push(surroundings::listen(face).await.map_err(StartError)?);
    }
    let control = options.control.and_then(|_| open.pop());
    Ok(Listeners { apis: open, control })
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().map_or_else(|error| error.to_string(), |address| address.to_string())
}
