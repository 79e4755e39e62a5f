//! The components of a host.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::SystemTime;

use super::components::HostComponent;
use super::host::Host;
use super::settings;
use crate::clock::epoch_ms;
use crate::control::{self, ControlState};
use crate::http;
use crate::invoke_api;
use crate::listener::Listener;
use crate::sources::EventSource;
use crate::supervision::DrainStage::{AfterFunctions, BeforeFunctions, WithFunctions};
use sam_template::model::Api;

/// Every component of a host. [`crate::supervision::DrainStage`] determines the order of start and
/// drain.
pub(super) fn components(host: &Host) -> Vec<HostComponent> {
    let apis = host.app.apis.iter().zip(&host.ports.apis);
    let control = host.ports.control.as_ref();
    let mut all: Vec<HostComponent> = host.sources.iter().map(source).collect();
    all.push(invoke_api(host));
    all.extend(apis.map(|(api, listener)| http_api(host, api, listener)));
    all.extend(settings_file(host));
    all.extend(keys(host));
    all.extend(control.map(|listener| control_port(host, listener)));
    all
}

fn source(source: &Arc<dyn EventSource>) -> HostComponent {
    let name = source.component();
    let drain = source.drain();
    let source = source.clone();
    HostComponent::new(name, drain, move |stopping| source.run(stopping))
}

fn invoke_api(host: &Host) -> HostComponent {
    let listener = host.ports.invoke_api.clone();
    let address = listener.address();
    tracing::info!(
        "Invoke API on http://{address} (aws lambda invoke --endpoint-url http://{address} ...)"
    );
    let api = host.invoke_api.clone();
    HostComponent::new("Invoke API", WithFunctions, move |stopping| {
        invoke_api::serve(listener.clone(), api.clone(), stopping)
    })
}

fn http_api(host: &Host, api: &Api, listener: &Listener) -> HostComponent {
    tracing::info!(
        api = %api.id,
        "listening on http://{}{} ({}, {} routes)",
        listener.address(),
        api.base_path(),
        api.kind.name(),
        api.routes.len()
    );
    let keys = host.options.keys.clone();
    let invoker = host.pool.clone();
    let log = host.options.pool.logs.http();
    let api = api.clone();
    let listener = listener.clone();
    let name = format!("API {}", api.id);
    HostComponent::new(name, BeforeFunctions, move |stopping| {
        http::serve(
            api.clone(),
            listener.clone(),
            keys.clone(),
            invoker.clone(),
            log.clone(),
            stopping,
        )
    })
}

fn settings_file(host: &Host) -> Option<HostComponent> {
    let (file, changes) = host.options.settings.clone()?;
    let (tuner, app) = (host.tuner.clone(), host.app.clone());
    let component = HostComponent::new("settings of usher.toml", AfterFunctions, move |_| {
        let followed = settings::follow(file.clone(), tuner.clone(), app.clone(), changes.clone());
        async move {
            followed.await;
            Ok::<(), Infallible>(())
        }
    });
    Some(component)
}

fn keys(host: &Host) -> Option<HostComponent> {
    let keys = host.options.keys.clone()?;
    let component = HostComponent::new("keys for tokens", AfterFunctions, move |_| {
        let keys = keys.clone();
        async move {
            keys.follow().await;
            Ok::<(), Infallible>(())
        }
    });
    Some(component)
}

fn control_port(host: &Host, listener: &Listener) -> HostComponent {
    let state = Arc::new(ControlState {
        app: host.app.clone(),
        pool: host.pool.clone(),
        observations: host.options.pool.observations.clone(),
        sources: host.sources.clone(),
        keys: host.options.keys.clone(),
        budgets: vec![host.capacity.public.clone(), host.capacity.control.clone()],
        parts: host.registry().clone(),
        tuner: host.tuner.clone(),
        token: hex::encode(rand::random::<[u8; 16]>()),
        started_ms: epoch_ms(SystemTime::now()),
    });
    let listener = listener.clone();
    tracing::info!("live page on http://{}/_usher/", listener.address());
    HostComponent::new("live page", AfterFunctions, move |_| {
        control::serve(listener.clone(), state.clone())
    })
}

#[cfg(test)]
#[path = "declared_tests.rs"]
mod tests;
