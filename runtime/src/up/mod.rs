//! Ties the rooms into a running host, and takes it down again in a stated order.
//!
//! Start: check what cannot work and say all of it at once; ask the brokers and SQS whether they are there; make the
//! template's queues; open the events of earlier runs; then the pool, HTTP, the Invoke API, mappings and schedules, and last a line
//! for each thing that listens. End (`shutdown` turned): no new records, requests or schedules; what is in flight finishes and is
//! committed, within [`PoolOptions::drain`]; then the functions end. A part that ends by itself is started again
//! ([`crate::supervision`]); the host and every other part go on.

mod invocations;
mod mappings;
mod parts;
mod port;
mod preflight;
mod room;
mod settings;
mod surroundings;

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::parts::Parts;
use self::port::Port;
use self::room::Division;
use crate::control::{LogSwitch, Tuner};
use crate::http::{self, KeyStore};
use crate::instances::{Pool, PoolOptions, epoch_ms};
use crate::invocation::Invoker;
use crate::invoke_api::{self, Token};
use crate::model::Application;
use crate::state::StateFolder;
use crate::tuning::{SettingChange, TunableSettings};
use crate::waiting::turned;
use crate::{control, kafka, schedule};

pub use preflight::contradictions;
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
    pub keys: Option<Arc<KeyStore>>,
    /// False: schedules are left to another host.
    pub schedules: bool,
    /// Gather and retry at the service's pace instead of as soon as possible.
    pub aws_timing: bool,
    /// File whose `[settings]` are followed while it runs, and what they say at the start.
    pub settings: Option<(PathBuf, Vec<SettingChange>)>,
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
pub fn faces(
    app: &Application,
    http: &BTreeMap<String, SocketAddr>,
    control: Option<SocketAddr>,
) -> Vec<Face> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let apis = app.apis.iter().map(|api| {
        let address = http.get(&api.id).copied().unwrap_or(any);
        Face {
            address,
            what: api.kind.name(),
            setting: "http",
        }
    });
    apis.chain(control.map(|address| Face {
        address,
        what: "status",
        setting: "control",
    }))
    .collect()
}

/// Name of the file within the state folder that says when schedules were last looked after.
const SCHEDULES_SEEN: &str = "schedules-seen";

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// Runs the application until `shutdown` completes, then drains and returns. Dropping the future instead kills what is left.
///
/// # Errors
/// Before anything has started, one message that names everything that is missing or cannot work.
pub async fn run(
    mut app: Application,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    preflight::check(&app, &options).await?;
    let listeners = bind(&app, &options).await?;
    let invoke_api = invocations::listen(options.invoke).await?;
    let definitions = invocations::definitions(&app, &options);
    invocations::tell_functions(&mut app, &invoke_api);
    let queues = mappings::ready(&app).await?;
    let (stop, stopping) = watch::channel(false);
    let (events, driver) = invocations::open(&app, &options)?;
    let room = Division::of(&app, &options);
    let pool = Pool::new(&app, &options.executables, &room.pool(&options.pool));
    let invoker: Invoker = pool.clone();
    let registry = options.pool.parts.clone();
    let mut parts = Parts::default();
    parts.supervise(registry.part("asynchronous events"), &stopping, {
        let invoker = invoker.clone();
        let stopping = stopping.clone();
        let drain = options.pool.drain;
        move || driver.clone().run(invoker.clone(), stopping.clone(), drain)
    });
    let (api, beacon) = invocations::api(
        &app,
        &options,
        &invoke_api,
        invoker.clone(),
        events.clone(),
        &definitions,
    )?;
    let mut ports = vec![Port::of(invoke_api)?];
    parts.supervise(registry.part("Invoke API"), &stopping, {
        let port = ports[0].clone();
        let places = room.public.clone();
        let stopping = stopping.clone();
        move || {
            let api = api.clone();
            let listener = port.listener();
            let places = places.clone();
            let stopping = stopping.clone();
            async move {
                invoke_api::serve(listener?, api, places, stopping).await;
                Ok(())
            }
        }
    });

    let mut faces = Parts::default();
    for (api, listener) in app.apis.iter().zip(listeners.apis) {
        let base = api.base_path();
        let routes = api.routes.len();
        tracing::info!(api = %api.id, "listening on http://{}{base} ({}, {routes} routes)", address(&listener), api.kind.name());
        let port = Port::of(listener)?;
        ports.push(port.clone());
        let api = api.clone();
        let places = room.public.clone();
        let keys = options.keys.clone();
        let invoker = invoker.clone();
        let serving = stopping.clone();
        faces.supervise(registry.part(format!("API {}", api.id)), &stopping, move || {
            let (api, places, keys, invoker, serving) =
                (api.clone(), places.clone(), keys.clone(), invoker.clone(), serving.clone());
            let listener = port.listener();
            async move { http::serve_within(places, api, listener?, keys, invoker, serving).await }
        });
    }
    let enabled: Vec<_> = app
        .schedules
        .iter()
        .filter(|schedule| schedule.enabled && options.schedules)
        .cloned()
        .collect();
    for schedule in &enabled {
        tracing::info!(schedule = %schedule.id, "fires {} at {}", schedule.expression, schedule.function);
    }
    parts.supervise(registry.part("schedules"), &stopping, {
        let queue = events.clone();
        let stopping = stopping.clone();
        let memory = options.state.path().join(SCHEDULES_SEEN);
        let registry = registry.clone();
        move || {
            let enabled = enabled.clone();
            let queue = queue.clone();
            let memory = memory.clone();
            let registry = registry.clone();
            let mut until = stopping.clone();
            async move {
                schedule::run(enabled, queue, Some(&memory), registry, until.clone()).await;
                // there may be none, or none that fires again
                turned(&mut until).await;
                Ok(())
            }
        }
    });
    let host = mappings::Host {
        app: &app,
        options: &options,
        invoker: &invoker,
        stopping: &stopping,
    };
    let kafka = host.start_kafka()?;
    let sqs = host.start_sqs(queues);
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
    let gathers = if options.aws_timing {
        kafka::SERVICE_GATHERS
    } else {
        Duration::ZERO
    };
    let values = TunableSettings::new(&app, options.pool.default_concurrency, log, gathers);
    let tuner = Arc::new(Tuner::new(
        values,
        tuners,
        (pool.clone(), events.clone()),
        options.log.clone(),
    ));
    // these never end, and are dropped last
    let mut watching = Parts::default();
    if let Some((file, wishes)) = options.settings.clone() {
        settings::begin(&tuner, &wishes)?;
        let tuner = tuner.clone();
        watching.supervise(
            registry.part("settings of usher.toml"),
            &stopping,
            move || settings::follow(file.clone(), tuner.clone(), wishes.clone()).map(Ok),
        );
    }
    if let Some(keys) = options.keys.clone() {
        watching.supervise(registry.part("keys for tokens"), &stopping, move || {
            let keys = keys.clone();
            async move { keys.follow().await }.map(Ok)
        });
    }
    if let Some(listener) = listeners.control {
        tracing::info!("live page on http://{}/_usher/", address(&listener));
        let host = control::Host {
            pool: pool.clone(),
            observations: options.pool.observations.clone(),
            kafka: watches.0,
            sqs: watches.1,
            keys: options.keys.clone(),
            events,
            places: vec![room.public.clone(), room.control.clone()],
            parts: registry.clone(),
            tuner,
            token: hex::encode(rand::random::<[u8; 16]>()),
            started_ms: epoch_ms(SystemTime::now()),
            app: app.clone(),
        };
        let host = Arc::new(host);
        let port = Port::of(listener)?;
        let places = room.control;
        watching.supervise(registry.part("live page"), &stopping, move || {
            let host = host.clone();
            let listener = port.listener();
            let places = places.clone();
            async move {
                control::serve(listener?, host, places).await;
                Ok(())
            }
        });
    }
    tracing::info!(
        functions = app.functions.len(),
        mappings = mappings.len(),
        "ready"
    );

    for name in registry.unknown_faults() {
        let known: Vec<String> = registry
            .status(Instant::now())
            .into_iter()
            .map(|part| part.part)
            .collect();
        tracing::error!(
            "--panic {name:?} names no part of this host. Name one of: {}",
            known.join(", ")
        );
    }

    shutdown.await;
    tracing::info!("draining: no new records, requests or schedules; what is in flight finishes");
    let _ = stop.send(true);
    ports.iter().for_each(Port::close);
    tokio::join!(mappings.drained(), faces.drained());
    // together: the pool refuses what still queues and bounds what is in flight, which the others wait for
    tokio::join!(pool.shutdown(), parts.drained());
    drop((beacon, watching));
    tracing::info!("stopped");
    Ok(())
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
    Ok(Listeners {
        apis: open,
        control,
    })
}

fn address(listener: &TcpListener) -> String {
    listener
        .local_addr()
        .map_or_else(|error| error.to_string(), |address| address.to_string())
}
