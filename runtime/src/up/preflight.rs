//! What can be known to be wrong before anything starts; all of it in one message.

use std::collections::BTreeSet;

use super::{Options, StartError, surroundings};
use crate::http;
use crate::model::Application;

pub(super) async fn check(app: &Application, options: &Options) -> Result<(), StartError> {
    let mut problems = inconsistencies(app, options);
    problems.extend(surroundings::missing(app, &options.faces(app)).await);
    if problems.is_empty() {
        return Ok(());
    }
    Err(StartError(problems.join("\n")))
}

fn inconsistencies(app: &Application, options: &Options) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, function) in &app.functions {
        match options.executables.get(id) {
            None => problems.push(format!("function {id} has no executable: build it first")),
            Some(path) if !path.is_file() => {
                problems.push(format!("function {id}: {} is not a file: build it first", path.display()));
            }
            Some(_) if function.timeout.is_zero() => problems.push(format!("function {id}: Timeout must be 1 to 900 s")),
            Some(_) => {}
        }
    }
    problems.extend(app.apis.iter().filter_map(|api| http::check(api, options.keys.is_some()).err()));
    let mut groups = BTreeSet::new();
    for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
        if !app.functions.contains_key(&mapping.function) {
            problems.push(format!("mapping {}: there is no function {}", mapping.id, mapping.function));
        }
        for topic in &mapping.topics {
            if !groups.insert((&mapping.group, topic)) {
                problems.push(format!(
                    "mapping {}: another mapping reads topic {topic} as group {}; give each a ConsumerGroupId of its own",
                    mapping.id, mapping.group
                ));
            }
        }
    }
    for mapping in app.sqs.iter().filter(|mapping| mapping.enabled) {
        if !app.functions.contains_key(&mapping.function) {
            problems.push(format!("mapping {}: there is no function {}", mapping.id, mapping.function));
        }
    }
    problems
}
