//! What all kinds of sources together say of an application that may not run.

use std::collections::BTreeSet;

use sam_template::model::Application;
use sam_template::project::LocalServer;

use super::KINDS;
use super::kind::PlannedSource;
use super::status::SourceSubject;
use crate::doctor::Finding;

/// The sources of every kind, disabled ones included. Pure.
pub fn planned(app: &Application) -> Vec<PlannedSource> {
    KINDS.iter().flat_map(|kind| kind.planned(app)).collect()
}

/// What contradicts itself or the application, a sentence each. Pure.
pub fn contradictions(app: &Application) -> Vec<String> {
    let mut problems = Vec::new();
    for kind in KINDS {
        let mappings = kind.planned(app).into_iter();
        let unknown = mappings.filter(|source| {
            source.enabled
                && source.subject == SourceSubject::Mapping
                && !app.functions.contains_key(&source.function)
        });
        problems.extend(unknown.map(|source| {
            format!(
                "mapping {}: there is no function {}",
                source.id, source.function
            )
        }));
        problems.extend(kind.contradictions(app));
    }
    problems
}

/// Servers of this machine that [`probe`] checks.
pub(crate) fn probed_servers(app: &Application) -> BTreeSet<LocalServer> {
    let enabled = planned(app).into_iter().filter(|source| source.enabled);
    enabled.flat_map(|source| source.servers).collect()
}

/// Checks the servers that enabled sources need. A finding that fails stops the start.
pub async fn probe(app: &Application) -> Vec<Finding> {
    let probes = KINDS.iter().map(|kind| kind.probe(app));
    futures::future::join_all(probes).await.concat()
}
