//! A host whose parts are opened and whose components do not run yet.

use std::sync::Arc;
use std::time::Instant;

use super::capacity::Capacity;
use super::error::StartError;
use super::options::HostOptions;
use super::ports::Ports;
use super::{invoke_api, settings};
use crate::control::Tuner;
use crate::embedded_queues::EmbeddedServer;
use crate::host_file::HostFileGuard;
use crate::instances::Pool;
use crate::invoke_api::InvokeApi;
use crate::sources::{self, EventSource, KINDS, SourceHost, Sources};
use crate::supervision::{ComponentRegistry, DrainStage};
use crate::tuning::TunableSettings;
use sam_template::model::Application;

/// A host whose parts are opened and whose components do not run yet. Dropping it closes them.
pub(super) struct Host {
    pub(super) app: Application,
    pub(super) options: HostOptions,
    pub(super) capacity: Capacity,
    pub(super) ports: Ports,
    pub(super) pool: Arc<Pool>,
    pub(super) sources: Sources,
    pub(super) invoke_api: InvokeApi,
    pub(super) tuner: Arc<Tuner>,
    /// Answers until the host is dropped, after everything that calls it.
    _queues: Option<EmbeddedServer>,
    /// Removes the host file when it is dropped.
    _host_file: HostFileGuard,
}

impl Host {
    /// Prepares everything that can fail.
    ///
    /// # Errors
    /// A port, the stored events, a source, a setting or the host file. What was opened before is
    /// closed.
    pub(super) async fn prepare(
        mut app: Application,
        options: HostOptions,
    ) -> Result<Self, StartError> {
        let capacity = Capacity::of(&app, &options);
        let ports = Ports::bind(&app, &options, &capacity).await?;
        let address = ports.invoke_api.address();
        let host_file = invoke_api::host_file(&app, &options, &ports);
        invoke_api::set_endpoint(&mut app, address);
        let state = options.state.path();
        let queues = serve_queues(&app, &ports, &options)?;
        let concurrency = options.pool.default_concurrency;
        let events = sources::open_events(&app, state, concurrency, options.aws_timing)?;
        let queue = events.queue();
        let pool = Pool::new(&app, &options.executables, &capacity.pool(&options.pool));
        let host = SourceHost {
            app: &app,
            invoker: pool.clone(),
            events,
            parts: options.pool.parts.clone(),
            state,
            host_id: options.state.host_id(),
            drain: options.pool.drain,
            concurrency,
            aws_timing: options.aws_timing,
            schedules: options.schedules,
        };
        let sources = Sources::open(KINDS, &host).await?;
        let tuner = Tuner::new(
            initial_settings(&app, &options),
            sources.clone(),
            pool.clone(),
            options.log.clone(),
        );
        if let Some((_, changes)) = &options.settings {
            settings::begin(&tuner, changes)?;
        }
        let written = invoke_api::write(&host_file, &options)?;
        Ok(Self {
            invoke_api: invoke_api::api(&app, &options, &host_file, pool.clone(), queue),
            app,
            options,
            capacity,
            ports,
            pool,
            sources,
            tuner: Arc::new(tuner),
            _queues: queues,
            _host_file: written,
        })
    }

    /// The registry of the host's components.
    pub(super) fn registry(&self) -> &ComponentRegistry {
        &self.options.pool.parts
    }

    /// Logs that every component was started, and faults that no component has.
    pub(super) fn report_ready(&self) {
        let is_mapping =
            |source: &&Arc<dyn EventSource>| matches!(source.drain(), DrainStage::BeforeFunctions);
        tracing::info!(
            functions = self.app.functions.len(),
            mappings = self.sources.iter().filter(is_mapping).count(),
            "ready"
        );
        for name in self.registry().unknown_faults() {
            let known: Vec<String> = self
                .registry()
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
}

/// Serves the embedded queues: before the sources are opened, which create the template's queues.
fn serve_queues(
    app: &Application,
    ports: &Ports,
    options: &HostOptions,
) -> Result<Option<EmbeddedServer>, StartError> {
    let Some((queues, listener)) = app.embedded_queues.zip(ports.queues.clone()) else {
        return Ok(None);
    };
    let registry = &options.pool.parts;
    let server = EmbeddedServer::start(app, &queues, listener, options.state.path(), registry)?;
    tracing::info!("{}", server.describe(&queues));
    Ok(Some(server))
}

fn initial_settings(app: &Application, options: &HostOptions) -> TunableSettings {
    let log = options.log.as_ref().map_or("", |log| &log.now);
    let concurrency = options.pool.default_concurrency;
    TunableSettings::new(
        sources::tunable(app),
        app,
        concurrency,
        log,
        options.aws_timing,
    )
}
