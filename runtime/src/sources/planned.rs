//! What all kinds of sources together say of an application that may not run.

use std::collections::BTreeSet;

use sam_template::document::nearest;
use sam_template::model::{Application, DeclaredSource};
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
    problems.extend(unknown_types(app));
    problems
}

/// Sources that usher.toml declares with a type that no kind has.
fn unknown_types(app: &Application) -> Vec<String> {
    let known: Vec<&str> = KINDS
        .iter()
        .filter_map(|kind| kind.declared_type())
        .collect();
    let unknown = app
        .declared
        .iter()
        .filter(|source| !known.contains(&source.kind.as_str()));
    let problem = |source: &DeclaredSource| {
        let hint = match nearest(&source.kind, known.iter().copied()) {
            Some(near) => format!("Did you mean {near}?"),
            None if known.is_empty() => "This host has none.".to_owned(),
            None => format!("There is {}.", known.join(", ")),
        };
        let message = format!("{} is no type of source. {hint}", source.kind);
        source.problem("type", &message).to_string()
    };
    unknown.map(problem).collect()
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
    if let Some(redis) = &app.redis_endpoint {
        list.add_streams(redis);
    }
    list.complete(Sqs::of(app).as_ref())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sam_template::document::{Entry, Node};
    use sam_template::template::source_events;

    use super::*;

    #[test]
    fn each_event_type_belongs_to_one_kind() {
        let types = KINDS.iter().flat_map(|kind| kind.event_types());
        let mut types: Vec<&str> = types.copied().collect();
        types.sort_unstable();
        let mut events: Vec<&str> = source_events().collect();
        events.sort_unstable();
        assert_eq!(types, events);
    }

    #[test]
    fn kinds_differ_in_name_section_and_declared_type() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name()).collect();
        let sections: BTreeSet<&str> = KINDS.iter().map(|kind| kind.section()).collect();
        assert_eq!((names.len(), sections.len()), (KINDS.len(), KINDS.len()));
        let types: Vec<&str> = KINDS
            .iter()
            .filter_map(|kind| kind.declared_type())
            .collect();
        let different: BTreeSet<&str> = types.iter().copied().collect();
        assert_eq!(different.len(), types.len());
    }

    #[test]
    fn an_unknown_type_is_reported_with_its_line() {
        let table = Node::map(
            3,
            vec![Entry::new("type", 4, Node::scalar(4, "NoSuchThing"))],
        );
        let app = Application {
            declared: vec![DeclaredSource {
                id: "cache".into(),
                kind: "NoSuchThing".into(),
                function: "Worker".into(),
                enabled: true,
                table,
                file: "usher.toml".into(),
            }],
            ..Application::default()
        };
        let problems = contradictions(&app);
        assert!(
            problems[0].starts_with("usher.toml:4: [sources] cache: NoSuchThing is no type"),
            "{problems:?}"
        );
    }
}
