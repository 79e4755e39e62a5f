//! Runs an application: starts its components, and stops them in a stated order.
//!
//! Start: `preflight` reports all that cannot work in one message; `ports` are opened; the
//! template's queues are created; the events of earlier runs are opened; then the pool, the Invoke
//! API, HTTP APIs, schedules and mappings start, and the control port last.
//!
//! Stop (`shutdown` resolved): no new records, requests or schedules; what is in flight finishes
//! and is committed, within [`crate::instances::PoolOptions::drain`]; then the functions' processes
//! end. A component that ends by itself is restarted ([`crate::supervision`]) and affects no other.

mod capacity;
mod components;
mod error;
mod invoke_api;
mod mappings;
mod options;
mod ports;
mod preflight;
mod serving;
mod settings;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures::FutureExt as _;
use tokio::sync::watch;

use self::capacity::Capacity;
use self::components::ComponentSet;
use self::mappings::MappingStarter;
use self::ports::Ports;
use crate::clock::epoch_ms;
use crate::control::{ControlState, Tuner};
use crate::instances::Pool;
use crate::invocation::Invoker;
use crate::sources::asynchronous::{self, AsyncDriver, AsyncQueue};
use crate::sources::kafka;
use crate::supervision::ComponentRegistry;
use crate::tuning::TunableSettings;
use sam_template::model::Application;

pub use error::StartError;
pub use options::{HostOptions, InvokeAt, endpoints};
pub use preflight::{contradictions, keys, missing};
pub(crate) use preflight::{missing_topics, needed_topics};

/// Runs the application until `shutdown` resolves, then drains and returns. Dropping the future
/// instead kills what is left.
///
/// # Errors
/// Before anything has started, one message that names everything that is missing or cannot work.
pub async fn run(
    mut app: Application,
    options: HostOptions,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), StartError> {
    preflight::check(&app, &options).await?;
    let capacity = Capacity::of(&app, &options);
    let ports = Ports::bind(&app, &options, &capacity).await?;
    let host_file = invoke_api::host_file(&app, &options, ports.invoke_api.address());
    invoke_api::set_endpoint(&mut app, ports.invoke_api.address());
    let queues = mappings::ready(&app).await?;
    let (stop, stopping) = watch::channel(false);
    let (events, driver) = open_events(&app, &options)?;
    let pool = Pool::new(&app, &options.executables, &capacity.pool(&options.pool));
    let invoker: Invoker = pool.clone();
    let registry = options.pool.parts.clone();
    let component_set = || ComponentSet::new(&registry, &stopping);

    // components that functions need until the pool has ended them
    let mut base = component_set();
    base.supervise("asynchronous events", {
        let invoker = invoker.clone();
        let stopping = stopping.clone();
        let drain = options.pool.drain;
        move || {
            let running = driver.clone().run(invoker.clone(), stopping.clone(), drain);
            async { running.await.map_err(|error| error.to_string()) }
        }
    });
    let api = invoke_api::api(&app, &options, &host_file, invoker.clone(), events.clone());
    let host_file_guard = invoke_api::write(&host_file, &options)?;
    serving::invoke_api(&mut base, ports.invoke_api.clone(), api);
    let mut apis = component_set();
    for (api, listener) in app.apis.iter().zip(&ports.apis) {
        let listener = listener.clone();
        serving::http_api(&mut apis, listener, api.clone(), &options, invoker.clone());
    }
    serving::schedules(&mut base, &app, &options, events.clone());
    let mappings = MappingStarter {
        app: &app,
        options: &options,
        invoker: &invoker,
        stopping: &stopping,
    };
    let mut mappings = mappings.start(component_set(), queues)?;

    let tuner = Arc::new(Tuner::new(
        initial_settings(&app, &options),
        std::mem::take(&mut mappings.tuners),
        (pool.clone(), events.clone()),
        options.log.clone(),
    ));
    // components that run during the drain, and never end by themselves
    let mut observers = component_set();
    if let Some((file, changes)) = options.settings.clone() {
        settings::begin(&tuner, &changes)?;
        let tuner = tuner.clone();
        observers.supervise("settings of usher.toml", move || {
            settings::follow(file.clone(), tuner.clone(), changes.clone()).map(Ok)
        });
    }
    if let Some(keys) = options.keys.clone() {
        observers.supervise("keys for tokens", move || {
            let keys = keys.clone();
            async move { keys.follow().await }.map(Ok)
        });
    }
    if let Some(listener) = ports.control.clone() {
        let state = ControlState {
            pool: pool.clone(),
            observations: options.pool.observations.clone(),
            kafka: mappings.kafka,
            sqs: mappings.sqs,
            keys: options.keys.clone(),
            events,
            budgets: vec![capacity.public.clone(), capacity.control.clone()],
            parts: registry.clone(),
            tuner,
            token: hex::encode(rand::random::<[u8; 16]>()),
            started_ms: epoch_ms(SystemTime::now()),
            app: app.clone(),
        };
        serving::control_port(&mut observers, listener, Arc::new(state));
    }
    tracing::info!(
        functions = app.functions.len(),
        mappings = mappings.components.len(),
        "ready"
    );
    report_unknown_faults(&registry);

    shutdown.await;
    tracing::info!("draining: no new records, requests or schedules; what is in flight finishes");
    let _ = stop.send(true);
    ports.close();
    tokio::join!(mappings.components.drained(), apis.drained());
    // together: the pool rejects queued events and bounds those in flight, which the base waits for
    tokio::join!(pool.shutdown(), base.drained());
    drop((host_file_guard, observers));
    tracing::info!("stopped");
    Ok(())
}

/// Opens the asynchronous events of this state folder.
fn open_events(
    app: &Application,
    options: &HostOptions,
) -> Result<(AsyncQueue, AsyncDriver), StartError> {
    let concurrency = options.pool.default_concurrency;
    let settings = asynchronous::AsyncSettings::of(app, concurrency, options.aws_timing);
    asynchronous::open(options.state.path(), &settings)
        .map_err(|error| StartError(error.to_string()))
}

fn initial_settings(app: &Application, options: &HostOptions) -> TunableSettings {
    let log = options.log.as_ref().map_or("", |log| &log.now);
    let gathers = if options.aws_timing {
        kafka::SERVICE_WINDOW
    } else {
        Duration::ZERO
    };
    TunableSettings::new(app, options.pool.default_concurrency, log, gathers)
}

fn report_unknown_faults(registry: &ComponentRegistry) {
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
}
