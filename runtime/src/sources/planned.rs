//! What all kinds of sources together say of an application that may not run.

use std::collections::BTreeSet;

use sam_template::model::Application;
use sam_template::project::LocalServer;

use super::KINDS;
use super::kind::PlannedSource;
use super::sqs::client::Sqs;
use super::status::SourceSubject;
use crate::doctor::Finding;
use crate::parked::{DeadLetterStores, StoreList};
use crate::tuning::TunableSource;

/// The sources of every kind, disabled ones included. Pure.
pub fn planned(app: &Application) -> Vec<PlannedSource> {
    KINDS.iter().flat_map(|kind| kind.planned(app)).collect()
}

/// The settings of every enabled source that may change while it runs. Pure.
pub fn tunable(app: &Application) -> Vec<TunableSource> {
    let enabled = planned(app).into_iter().filter(|source| source.enabled);
    enabled.filter_map(|source| source.settings).collect()
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

/// The places where the sources of an application leave dead letters, and the streams of its Redis,
/// to which others may have parked entries. Pure.
pub fn dead_letter_stores(app: &Application) -> DeadLetterStores {
    let mut list = StoreList::default();
    for kind in KINDS {
        kind.dead_letters(app, &mut list);
    }
    if let Some(url) = &app.redis_endpoint {
        list.add_streams(url);
    }
    list.complete(Sqs::of(app).as_ref())
}
