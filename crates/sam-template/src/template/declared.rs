//! Sources of events that usher.toml declares: their functions and names, in the application.

use super::functions;
use super::parameters::did_you_mean_or;
use super::resource::MAPPING;
use super::scope::Scope;
use crate::document::Node;
use crate::model::{Application, DeclaredSource, Diagnostic};
use crate::project::HOST;

/// Adds the declared sources of functions that run. One whose function has a false condition, or
/// is not run by this host, may be declared, so that usher.toml need not follow the parameters.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    // a function with an invalid definition has been reported
    let complete = !scope.problems.has_errors();
    for source in &scope.project.sources {
        if let Some(problem) = name_clash(source, application) {
            scope.problems.other_file(problem);
        }
        if application.functions.contains_key(&source.function) {
            application.declared.push(source.clone());
        } else if complete && let Some(problem) = unknown_function(source, scope, application) {
            scope.problems.other_file(problem);
        } else {
            application.left_out.insert(source.id.clone());
        }
    }
    note_left_out(scope, application);
}

/// Notes the functions and mappings of the template that are not in the application.
fn note_left_out(scope: &Scope<'_>, application: &mut Application) {
    let resources = scope.root.get("Resources").map_or(&[][..], Node::entries);
    for resource in resources {
        let kind = resource.value.get("Type").and_then(Node::text);
        let id = &resource.key;
        let runs = application.functions.contains_key(id)
            || application.kafka.iter().any(|mapping| mapping.id == *id)
            || application.sqs.iter().any(|mapping| mapping.id == *id);
        if kind.is_some_and(|kind| [functions::KIND, MAPPING].contains(&kind)) && !runs {
            application.left_out.insert(id.clone());
        }
    }
}

/// Settings, metrics and the status name a source by its id.
fn name_clash(source: &DeclaredSource, application: &Application) -> Option<Diagnostic> {
    let id = &source.id;
    let kafka = application.kafka.iter().map(|mapping| &mapping.id);
    let sqs = application.sqs.iter().map(|mapping| &mapping.id);
    let schedules = application.schedules.iter().map(|schedule| &schedule.id);
    let what = if kafka.chain(sqs).any(|other| other == id) {
        "a mapping of the template"
    } else if schedules.into_iter().any(|other| other == id) {
        "a schedule of the template"
    } else if application.functions.contains_key(id) {
        "a function of the template"
    } else if id == HOST {
        "the host in [settings]"
    } else {
        return None;
    };
    let message = format!("{id} is the name of {what}. Choose another name.");
    Some(source.problem("", &message))
}

fn unknown_function(
    source: &DeclaredSource,
    scope: &Scope<'_>,
    application: &Application,
) -> Option<Diagnostic> {
    let name = &source.function;
    let declared = scope.root.get("Resources").and_then(|all| all.get(name));
    let kind = declared.and_then(|resource| resource.get("Type")?.text());
    if kind == Some(functions::KIND) || application.skipped.contains_key(name) {
        return None;
    }
    let known = application.functions.keys().map(String::as_str);
    let hint = did_you_mean_or("The functions are", name, known);
    let message = format!("there is no function {name} in the template. {hint}");
    Some(source.problem("function", &message))
}
