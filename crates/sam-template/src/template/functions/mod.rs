//! `AWS::Serverless::Function` without its triggers.

mod code;
mod managed;
mod script;
mod skipped;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::logging;
use super::reserved;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Reader, hint, is_name, listed};
use crate::model::qualified::{LATEST, function_name};
use crate::model::{Application, Function, Language};

pub(super) use managed::apply_overrides;

pub(super) const KIND: &str = "AWS::Serverless::Function";

pub(super) const READ: &str = "FunctionName Runtime PackageType CodeUri Handler Timeout MemorySize \
    Environment ReservedConcurrentExecutions LoggingConfig CapacityProviderConfig \
    FunctionScalingConfig";

/// Runtimes of native executables.
const NATIVE: [&str; 3] = ["provided.al2023", "provided.al2", "provided"];

/// Properties that are not applied here, and the consequence for the function.
const WITHOUT: [(&str, &str); 3] = [
    (
        "Layers",
        "layers are not unpacked; the function runs without them",
    ),
    ("VpcConfig", "the function uses this machine's network"),
    ("FileSystemConfigs", "file systems are not mounted"),
];

/// Reads every function into the application. Those that this host cannot run are skipped.
pub(super) fn read(scope: &Scope<'_>, folder: &Path, application: &mut Application) {
    for resource in scope.of_kind(KIND) {
        if let Some(skipped) = skipped::read(resource, scope, folder) {
            application.skipped.insert(resource.id.clone(), skipped);
            continue;
        }
        // Values of properties that are not read are not evaluated: an intrinsic function that only
        // the service can evaluate must be no error.
        resource.check_names(READ, scope);
        if let Some(function) = one(resource, scope, folder) {
            application.functions.insert(resource.id.clone(), function);
        }
    }
    skipped::check(application, scope);
    managed::check_long_hand(scope);
}

/// The logical id of a function that is named by name, ARN or logical id, with any qualifier.
pub(super) fn by_name(name: &str, scope: &Scope<'_>) -> Option<String> {
    // The URI of an integration contains the function's ARN.
    let inner = name
        .find("arn:")
        .map_or(name, |_| match name.rfind("/arn:") {
            Some(at) => name[at + 1..].split('/').next().unwrap_or(name),
            None => name.split('/').next().unwrap_or(name),
        });
    let (bare, _) = function_name(inner);
    let mut ids = scope.of_kind(KIND).map(|r| &r.id);
    ids.find(|id| *id == bare || scope.name_of(id) == bare)
        .cloned()
}

/// Reports a qualifier that is no alias or version of the function.
pub(super) fn check_qualifier(name: &str, id: &str, scope: &Scope<'_>, what: &str, line: usize) {
    let known = scope.qualifiers(id);
    let (_, qualifier) = function_name(name);
    let unknown = |qualifier: &&str| *qualifier != LATEST && !known.contains(*qualifier);
    if let Some(qualifier) = qualifier.filter(unknown) {
        let known = listed(known.iter().map(String::as_str));
        let message = format!(
            "{what}: {id} has no version or alias {qualifier} (it has: {known}). Write \
             `AutoPublishAlias: {qualifier}`."
        );
        scope.problems.error(line, message);
    }
}

fn one(resource: &Resource, scope: &Scope<'_>, folder: &Path) -> Option<Function> {
    let properties = resource.resolved(READ, scope)?;
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let language = reader.text("Runtime").and_then(Language::of);
    for (key, meaning) in WITHOUT {
        // layers of language runtimes are applied
        let applied = key == "Layers" && language.is_some();
        if !applied && resource.has(key, scope) {
            let message = format!("{key} is left out: {meaning}.");
            resource.written(scope.problems).warn(key, &message);
        }
    }
    let before = scope.problems.failures();
    if language.is_none() {
        check_runtime(&reader);
    }
    let name = reader.text("FunctionName");
    if let Some(name) = name.filter(|name| !is_name(name, "-_", 64)) {
        let message = format!(
            "FunctionName is '{name}', and a function's name has up to 64 letters, digits, - and \
             _. Rename it."
        );
        reader.invalid("FunctionName", &message);
    }
    check_alias(resource, scope);
    let code = match language {
        Some(language) => script::read(resource, &reader, language, scope, folder),
        None => code::read(resource, &reader, scope, folder),
    };
    let handler = match language {
        Some(language) => reader.required("Handler", script::handler_remedy(language)),
        None => Some(reader.text("Handler").unwrap_or("bootstrap")),
    };
    let concurrency = reader.number("ReservedConcurrentExecutions", 0..=100_000);
    let bounds = managed::bounds(&reader);
    let memory = reader.number("MemorySize", bounds.memory_mb.clone());
    let memory_mb = memory.unwrap_or(128) as u32;
    let function = Function {
        id: resource.id.clone(),
        name: name.map_or_else(|| scope.name_of(&resource.id), str::to_owned),
        location: scope.location.clone(),
        qualifiers: scope.qualifiers(&resource.id),
        code: code?,
        place: format!("{}:{}", scope.problems.file(), reader.line("CodeUri")),
        handler: handler?.to_owned(),
        timeout: Duration::from_secs(reader.number("Timeout", bounds.timeout).unwrap_or(3) as u64),
        memory_mb,
        concurrency: concurrency.map(|n| n as u32),
        managed: managed::read(resource, &reader, scope, memory_mb),
        environment: variables(&reader),
        logging: logging::read(&reader),
    };
    let sound = scope.problems.failures() == before;
    if sound && function.concurrency == Some(0) {
        let message = "it never runs with ReservedConcurrentExecutions: 0. HTTP answers 503, \
            schedules are dropped, records of Kafka wait.";
        reader.warn("ReservedConcurrentExecutions", message);
    } else if sound && function.max_instances() == Some(0) {
        let message = "it never runs with MaxExecutionEnvironments: 0. HTTP answers 503, schedules \
            are dropped, records of Kafka wait.";
        reader.warn("FunctionScalingConfig", message);
    }
    sound.then_some(function)
}

fn check_runtime(reader: &Reader<'_>) {
    let remedy = "Write `Runtime: provided.al2023` (and build an executable named bootstrap).";
    let runtime = reader.required("Runtime", remedy);
    if let Some(runtime) = runtime.filter(|runtime| !NATIVE.contains(runtime)) {
        let hint = hint(runtime, NATIVE);
        let message = format!("{runtime} is not a runtime that Lambda has.{hint} {remedy}");
        reader.error("Runtime", &message);
    }
}

/// Checks `AutoPublishAlias` ("`CreateAlias`" in Lambda's API reference).
fn check_alias(resource: &Resource, scope: &Scope<'_>) {
    let Some(properties) = resource.resolved("AutoPublishAlias", scope) else {
        return;
    };
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let invalid =
        |alias: &&str| !is_name(alias, "-_", 128) || alias.chars().all(|c| c.is_ascii_digit());
    if let Some(alias) = reader.text("AutoPublishAlias").filter(invalid) {
        let message = format!(
            "'{alias}' is not an alias. Use up to 128 letters, digits, - and _, not digits alone: \
             `AutoPublishAlias: live`."
        );
        reader.error("AutoPublishAlias", &message);
    }
}

fn variables(reader: &Reader<'_>) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(environment) = reader.child("Environment") else {
        return variables;
    };
    environment.only("Variables");
    let Some(section) = environment.child("Variables") else {
        return variables;
    };
    for entry in section.node.entries() {
        let name = &entry.key;
        let line = entry.line;
        if let Some(why) = reserved::refusal(name) {
            reader.error_on(line, &why);
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !is_name(name, "_", usize::MAX)
        {
            let message = format!(
                "'{name}' cannot name a variable. Use letters, digits and _, beginning with a \
                 letter."
            );
            reader.error_on(line, &message);
        } else if let Some(text) = entry.value.text() {
            variables.insert(name.clone(), text.to_owned());
        } else {
            let found = entry.value.describe();
            let message =
                format!("the variable {name} must be text, not {found}. Join lists with !Join.");
            reader.error_on(line, &message);
        }
    }
    let pairs = variables.iter();
    let bytes: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
    if bytes > 4096 {
        let message = format!("the variables take {bytes} bytes; Lambda refuses more than 4096.");
        reader.warn_on(section.node.line, &message);
    }
    variables
}
