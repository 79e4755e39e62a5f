//! Supervised components that serve ports and fire schedules.

use std::sync::Arc;

use super::components::ComponentSet;
use super::options::HostOptions;
use crate::control::{self, ControlState};
use crate::http;
use crate::invocation::Invoker;
use crate::invoke_api::{self, InvokeApi};
use crate::listener::Listener;
use crate::sources::asynchronous::AsyncQueue;
use crate::sources::schedule;
use crate::waiting::turned;
use sam_template::model::{Api, Application, Schedule};

/// File in the state folder with the time up to which schedules have fired.
const SCHEDULES_FIRED: &str = "schedules-seen";

pub(super) fn invoke_api(set: &mut ComponentSet, listener: Listener, api: InvokeApi) {
    let address = listener.address();
    tracing::info!(
        "Invoke API on http://{address} (aws lambda invoke --endpoint-url http://{address} ...)"
    );
    let stopping = set.stopping();
    set.supervise("Invoke API", move || {
        let served = invoke_api::serve(listener.clone(), api.clone(), stopping.clone());
        async move { served.await.map_err(|error| error.to_string()) }
    });
}

pub(super) fn http_api(
    set: &mut ComponentSet,
    listener: Listener,
    api: Api,
    options: &HostOptions,
    invoker: Invoker,
) {
    tracing::info!(
        api = %api.id,
        "listening on http://{}{} ({}, {} routes)",
        listener.address(),
        api.base_path(),
        api.kind.name(),
        api.routes.len()
    );
    let keys = options.keys.clone();
    let stopping = set.stopping();
    set.supervise(&format!("API {}", api.id), move || {
        let served = http::serve(
            api.clone(),
            listener.clone(),
            keys.clone(),
            invoker.clone(),
            stopping.clone(),
        );
        async move { served.await.map_err(|error| error.to_string()) }
    });
}

pub(super) fn control_port(set: &mut ComponentSet, listener: Listener, state: Arc<ControlState>) {
    tracing::info!("live page on http://{}/_usher/", listener.address());
    set.supervise("live page", move || {
        let served = control::serve(listener.clone(), state.clone());
        async move { served.await.map_err(|error| error.to_string()) }
    });
}

pub(super) fn schedules(
    set: &mut ComponentSet,
    app: &Application,
    options: &HostOptions,
    queue: AsyncQueue,
) {
    let enabled = |schedule: &&Schedule| schedule.enabled && options.schedules;
    let enabled: Vec<Schedule> = app.schedules.iter().filter(enabled).cloned().collect();
    for schedule in &enabled {
        tracing::info!(
            schedule = %schedule.id,
            "fires {} at {}",
            schedule.expression,
            schedule.function
        );
    }
    let stopping = set.stopping();
    let fired = options.state.path().join(SCHEDULES_FIRED);
    let registry = options.pool.parts.clone();
    set.supervise("schedules", move || {
        let enabled = enabled.clone();
        let queue = queue.clone();
        let fired = fired.clone();
        let registry = registry.clone();
        let mut stopping = stopping.clone();
        async move {
            schedule::run(enabled, queue, Some(&fired), registry, stopping.clone()).await;
            // there may be no schedule that fires again
            turned(&mut stopping).await;
            Ok(())
        }
    });
}
