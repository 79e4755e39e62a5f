//! Environment variables of the functions: overrides by `--env-vars`, warnings for values that name
//! other machines, and the endpoint of SQS for the AWS SDK.

use super::reserved;
use crate::document::{Problems, nearest};
use crate::model::Application;
use crate::project::{Project, remote_hosts};

/// Section of an `--env-vars` file that applies to every function.
const FOR_ALL: &str = "Parameters";

/// Variable from which every AWS SDK takes the URL of SQS; without it, the SDK calls AWS.
const SQS: &str = "AWS_ENDPOINT_URL_SQS";

/// Applies the overrides to variables that functions declare, then warns of remote hosts among the
/// values.
pub(super) fn apply(project: &Project, application: &mut Application, problems: &mut Problems) {
    for (section, values) in &project.env_vars {
        if application.skipped.contains_key(section) {
            continue;
        }
        if section != FOR_ALL && !application.functions.contains_key(section) {
            let hint = nearest(section, application.functions.keys().map(String::as_str))
                .map(|n| format!(" Did you mean {n}?"))
                .unwrap_or_default();
            problems.warn(
                0,
                format!("--env-vars names a function {section} that is not in the template.{hint}"),
            );
        }
        for (name, value) in values {
            if let Some(why) = reserved::refusal(name) {
                problems.error(0, format!("--env-vars sets {name} for {section}: {why}"));
                continue;
            }
            let mut declared = false;
            for (_, function) in application
                .functions
                .iter_mut()
                .filter(|(id, _)| section == FOR_ALL || *id == section)
            {
                // A function's own section overrides the one for all functions.
                let own = project
                    .env_vars
                    .get(&function.id)
                    .and_then(|own| own.get(name));
                if let Some(variable) = function.environment.get_mut(name) {
                    declared = true;
                    own.unwrap_or(value).clone_into(variable);
                }
            }
            if !declared && (section == FOR_ALL || application.functions.contains_key(section)) {
                problems.warn(
                    0,
                    format!(
                        "--env-vars sets {name} for {section}, which does not declare it; it is \
                         left out, as SAM does. Declare it under Environment."
                    ),
                );
            }
        }
    }
    for function in application.functions.values() {
        for (name, value) in &function.environment {
            for host in remote_hosts(value)
                .into_iter()
                .filter(|host| !project.allow_remote.contains(host))
            {
                let message = format!(
                    "function {}: the variable {name} points at {host}, which is not this \
                     machine. If that is meant, say --allow-remote {host}; else override it in \
                     usher.toml or with --env-vars.",
                    function.id
                );
                problems.warn(0, message);
            }
        }
    }
    if let Some(given) = &project.sqs {
        for function in application.functions.values_mut() {
            function
                .environment
                .entry(SQS.to_owned())
                .or_insert_with(|| given.value.clone());
        }
    }
}
