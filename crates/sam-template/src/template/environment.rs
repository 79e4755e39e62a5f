//! Environment variables of the functions: overrides by `--env-vars`, warnings for values that name
//! other machines, and the endpoint of SQS for the AWS SDK.

use super::reserved;
use super::scope::Scope;
use crate::document::hint;
use crate::model::{Application, Function};
use crate::project::{SQS_VARIABLE, remote_hosts};

/// Section of an `--env-vars` file that applies to every function.
const FOR_ALL: &str = "Parameters";

/// Applies the overrides to variables that functions declare, then warns of remote hosts among the
/// values.
pub(super) fn apply(scope: &Scope<'_>, application: &mut Application) {
    let project = scope.project;
    let Application {
        functions, skipped, ..
    } = application;
    let given = project.env_vars.iter();
    for (section, values) in given.filter(|(section, _)| !skipped.contains_key(*section)) {
        let known = section == FOR_ALL || functions.contains_key(section);
        if !known {
            let hint = hint(section, functions.keys().map(String::as_str));
            let message =
                format!("--env-vars names a function {section} that is not in the template.{hint}");
            scope.problems.warn(0, message);
        }
        for (name, value) in values {
            if let Some(why) = reserved::refusal(name) {
                let message = format!("--env-vars sets {name} for {section}: {why}");
                scope.problems.error(0, message);
                continue;
            }
            let mut declared = false;
            let named = functions.values_mut();
            for function in named.filter(|f| section == FOR_ALL || f.id == *section) {
                // A function's own section overrides the one for all functions.
                let own = project.env_vars.get(&function.id);
                let own = own.and_then(|own| own.get(name));
                if let Some(variable) = function.environment.get_mut(name) {
                    declared = true;
                    own.unwrap_or(value).clone_into(variable);
                }
            }
            if !declared && known {
                let message = format!(
                    "--env-vars sets {name} for {section}, which does not declare it; it is left \
                     out, as SAM does. Declare it under Environment."
                );
                scope.problems.warn(0, message);
            }
        }
    }
    for function in functions.values_mut() {
        for (name, value) in &function.environment {
            for host in remote_hosts(value).difference(&project.allow_remote) {
                let message = format!(
                    "function {}: the variable {name} points at {host}, which is not this machine. \
                     If that is meant, say --allow-remote {host}; else override it in usher.toml \
                     or with --env-vars.",
                    function.id
                );
                scope.problems.warn(0, message);
            }
        }
        if let Some(given) = &project.sqs {
            set_sqs(function, &given.value);
        }
    }
}

/// Sets the URL of SQS, unless the function has one of its own.
pub(super) fn set_sqs(function: &mut Function, url: &str) {
    let variable = function.environment.entry(SQS_VARIABLE.to_owned());
    variable.or_insert_with(|| url.to_owned());
}
