//! Supervised components that serve ports and fire schedules.

use std::sync::Arc;

use tokio::sync::watch;

use super::components::ComponentSet;
use super::options::HostOptions;
use crate::asynchronous::AsyncQueue;
use crate::control::{self, ControlState};
use crate::invocation::Invoker;
use crate::invoke_api::{self, InvokeApi};
use crate::listener::Listener;
use crate::supervision::ComponentRegistry;
use crate::waiting::turned;
use crate::{http, schedule};
use sam_template::model::{Api, Application, Schedule};

/// File in the state folder with the time up to which schedules have fired.
const SCHEDULES_FIRED: &str = "schedules-seen";

/// Starts components that stop when `stopping` turns true.
pub(super) struct Starter<'a> {
    pub(super) registry: &'a ComponentRegistry,
    pub(super) stopping: &'a watch::Receiver<bool>,
}

impl Starter<'_> {
    pub(super) fn invoke_api(&self, set: &mut ComponentSet, listener: Listener, api: InvokeApi) {
        let address = listener.address();
        tracing::info!(
            "Invoke API on http://{address} (aws lambda invoke --endpoint-url http://{address} ...)"
        );
        let stopping = self.stopping.clone();
        set.supervise(
            self.registry.component("Invoke API"),
            self.stopping,
            move || {
                let served = invoke_api::serve(listener.clone(), api.clone(), stopping.clone());
                async move { served.await.map_err(|error| error.to_string()) }
            },
        );
    }

    pub(super) fn http_api(
        &self,
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
        let stopping = self.stopping.clone();
        let part = self.registry.component(format!("API {}", api.id));
        set.supervise(part, self.stopping, move || {
            http::serve(
                api.clone(),
                listener.clone(),
                keys.clone(),
                invoker.clone(),
                stopping.clone(),
            )
        });
    }

    pub(super) fn control_port(
        &self,
        set: &mut ComponentSet,
        listener: Listener,
        state: Arc<ControlState>,
    ) {
        tracing::info!("live page on http://{}/_usher/", listener.address());
        set.supervise(
            self.registry.component("live page"),
            self.stopping,
            move || {
                let served = control::serve(listener.clone(), state.clone());
                async move { served.await.map_err(|error| error.to_string()) }
            },
        );
    }

    pub(super) fn schedules(
        &self,
        set: &mut ComponentSet,
        app: &Application,
        options: &HostOptions,
        queue: &AsyncQueue,
    ) {
        let enabled: Vec<Schedule> = app
            .schedules
            .iter()
            .filter(|schedule| schedule.enabled && options.schedules)
            .cloned()
            .collect();
        for schedule in &enabled {
            tracing::info!(
                schedule = %schedule.id,
                "fires {} at {}",
                schedule.expression,
                schedule.function
            );
        }
        let queue = queue.clone();
        let stopping = self.stopping.clone();
        let fired = options.state.path().join(SCHEDULES_FIRED);
        let registry = self.registry.clone();
        set.supervise(
            self.registry.component("schedules"),
            self.stopping,
            move || {
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
            },
        );
    }
}
