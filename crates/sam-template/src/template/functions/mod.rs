//! `AWS::Serverless::Function` without its triggers.

mod code;
mod skipped;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::logging;
use super::reserved;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Problems, Reader, nearest};
use crate::model::qualified::{LATEST, function_name};
use crate::model::{Application, Function};

pub(super) const KIND: &str = "AWS::Serverless::Function";

pub(super) const READ: [&str; 10] = [
    "FunctionName",
    "Runtime",
    "PackageType",
    "CodeUri",
    "Handler",
    "Timeout",
    "MemorySize",
    "Environment",
    "ReservedConcurrentExecutions",
    "LoggingConfig",
];

/// Other properties that SAM accepts, listed to detect misspelt ones. Their values are not
/// evaluated: an intrinsic function that only the service can evaluate must be no error.
pub(super) const ALSO: [&str; 39] = [
    "Architectures",
    "AssumeRolePolicyDocument",
    "AutoPublishAlias",
    "AutoPublishAliasAllProperties",
    "AutoPublishCodeSha256",
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterQueue",
    "DeploymentPreference",
    "Description",
    "DurableConfig",
    "EphemeralStorage",
    "EventInvokeConfig",
    "Events",
    "FileSystemConfigs",
    "FunctionScalingConfig",
    "FunctionUrlConfig",
    "ImageConfig",
    "ImageUri",
    "InlineCode",
    "KmsKeyArn",
    "Layers",
    "PermissionsBoundary",
    "Policies",
    "PropagateTags",
    "ProvisionedConcurrencyConfig",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "Role",
    "RolePath",
    "RuntimeManagementConfig",
    "SnapStart",
    "SourceKMSKeyArn",
    "Tags",
    "TenancyConfig",
    "Tracing",
    "VersionDeletionPolicy",
    "VersionDescription",
    "VpcConfig",
];

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
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    folder: &Path,
    application: &mut Application,
    problems: &mut Problems,
) {
    for resource in resources.iter().filter(|r| r.kind == KIND) {
        if let Some(skipped) = skipped::read(resource, scope, problems) {
            application.skipped.insert(resource.id.clone(), skipped);
            continue;
        }
        let known: Vec<&str> = READ.iter().chain(&ALSO).copied().collect();
        Reader::new(&resource.properties, format!("function {}", resource.id))
            .only(&known, problems);
        if let Some(function) = one(resource, scope, folder, problems) {
            application.functions.insert(resource.id.clone(), function);
        }
    }
    skipped::check(resources, application, problems);
}

/// The logical id of a function that is named by name, ARN or logical id, with any qualifier.
pub(super) fn by_name(name: &str, resources: &[Resource], scope: &Scope<'_>) -> Option<String> {
    // The URI of an integration contains the function's ARN.
    let inner = name
        .find("arn:")
        .map_or(name, |_| match name.rfind("/arn:") {
            Some(at) => name[at + 1..].split('/').next().unwrap_or(name),
            None => name.split('/').next().unwrap_or(name),
        });
    let (bare, _) = function_name(inner);
    let functions = resources.iter().filter(|r| r.kind == KIND);
    functions
        .map(|r| &r.id)
        .find(|id| id.as_str() == bare || scope.name_of(id) == bare)
        .cloned()
}

/// Reports a qualifier that is no alias or version of the function.
pub(super) fn check_qualifier(
    name: &str,
    id: &str,
    scope: &Scope<'_>,
    what: &str,
    line: usize,
    problems: &mut Problems,
) {
    let Some(qualifier) = function_name(name)
        .1
        .filter(|qualifier| *qualifier != LATEST)
    else {
        return;
    };
    let known = scope.qualifiers(id);
    if !known.contains(qualifier) {
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.into_iter().collect::<Vec<_>>().join(", ")
        };
        problems.error(
            line,
            format!(
                "{what}: {id} has no version or alias {qualifier} (it has: {known}). Write \
                 `AutoPublishAlias: {qualifier}`."
            ),
        );
    }
}

fn one(
    resource: &Resource,
    scope: &Scope<'_>,
    folder: &Path,
    problems: &mut Problems,
) -> Option<Function> {
    let properties = resource.resolved(&READ, scope, problems)?;
    let reader = Reader::new(&properties, format!("function {}", resource.id));
    for (key, meaning) in WITHOUT {
        if resource.has(key, scope) {
            problems.warn(
                resource.line_of(key),
                format!("function {}: {key} is left out: {meaning}.", resource.id),
            );
        }
    }
    let before = problems.failures();
    check_runtime(&reader, problems);
    check_name(&reader, problems);
    check_alias(resource, scope, problems);
    let code = code::read(resource, &reader, scope, folder, problems);
    let function = Function {
        id: resource.id.clone(),
        name: reader
            .text("FunctionName", problems)
            .map_or_else(|| scope.name_of(&resource.id), str::to_owned),
        location: scope.location.clone(),
        qualifiers: scope.qualifiers(&resource.id),
        code: code?,
        place: format!("{}:{}", problems.file(), reader.line("CodeUri")),
        handler: reader
            .text("Handler", problems)
            .unwrap_or("bootstrap")
            .to_owned(),
        timeout: Duration::from_secs(
            reader.number("Timeout", 1..=900, problems).unwrap_or(3) as u64
        ),
        memory_mb: reader
            .number("MemorySize", 128..=10_240, problems)
            .unwrap_or(128) as u32,
        concurrency: reader
            .number("ReservedConcurrentExecutions", 0..=100_000, problems)
            .map(|n| n as u32),
        environment: variables(&reader, problems),
        logging: logging::read(&reader, problems),
    };
    let sound = problems.failures() == before;
    if sound && function.concurrency == Some(0) {
        let text = "it never runs with ReservedConcurrentExecutions: 0. HTTP answers 503, \
            schedules are dropped, records of Kafka wait.";
        problems.warn(
            reader.line("ReservedConcurrentExecutions"),
            format!("{}: {text}", reader.what),
        );
    }
    sound.then_some(function)
}

/// Checks `FunctionName`.
fn check_name(reader: &Reader<'_>, problems: &mut Problems) {
    let Some(name) = reader.text("FunctionName", problems) else {
        return;
    };
    let sound = (1..=64).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !sound {
        let message = format!(
            "{}: FunctionName is '{name}', and a function's name has up to 64 letters, digits, - \
             and _. Rename it.",
            reader.what
        );
        problems.wrong_kind(reader.line("FunctionName"), "FunctionName", message);
    }
}

fn check_runtime(reader: &Reader<'_>, problems: &mut Problems) {
    let remedy = "Write `Runtime: provided.al2023` (and build an executable named bootstrap).";
    let Some(runtime) = reader.required("Runtime", remedy, problems) else {
        return;
    };
    if !NATIVE.contains(&runtime) {
        let hint = nearest(runtime, NATIVE)
            .map(|near| format!(" Did you mean {near}?"))
            .unwrap_or_default();
        problems.error(
            reader.line("Runtime"),
            format!(
                "{}: {runtime} is not a runtime that Lambda has.{hint} {remedy}",
                reader.what
            ),
        );
    }
}

/// Checks `AutoPublishAlias` ("`CreateAlias`" in Lambda's API reference).
fn check_alias(resource: &Resource, scope: &Scope<'_>, problems: &mut Problems) {
    let Some(properties) = resource.resolved(&["AutoPublishAlias"], scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, format!("function {}", resource.id));
    let Some(alias) = reader.text("AutoPublishAlias", problems) else {
        return;
    };
    let letters = alias
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if alias.is_empty()
        || alias.len() > 128
        || !letters
        || alias.chars().all(|c| c.is_ascii_digit())
    {
        problems.error(
            reader.line("AutoPublishAlias"),
            format!(
                "{}: '{alias}' is not an alias. Use up to 128 letters, digits, - and _, not \
                 digits alone: `AutoPublishAlias: live`.",
                reader.what
            ),
        );
    }
}

fn variables(reader: &Reader<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let Some(environment) = reader.child("Environment", problems) else {
        return variables;
    };
    environment.only(&["Variables"], problems);
    let Some(section) = environment.child("Variables", problems) else {
        return variables;
    };
    for entry in section.node.entries() {
        let name = &entry.key;
        let line = entry.line;
        if let Some(why) = reserved::refusal(name) {
            problems.error(line, format!("{}: {why}", reader.what));
        } else if !name.starts_with(|c: char| c.is_ascii_alphabetic())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            problems.error(
                line,
                format!(
                    "{}: '{name}' cannot name a variable. Use letters, digits and _, beginning \
                     with a letter.",
                    reader.what
                ),
            );
        } else if let Some(text) = entry.value.text() {
            variables.insert(name.clone(), text.to_owned());
        } else {
            problems.error(
                line,
                format!(
                    "{}: the variable {name} must be text, not {}. Join lists with !Join.",
                    reader.what,
                    entry.value.describe()
                ),
            );
        }
    }
    let bytes: usize = variables
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > 4096 {
        problems.warn(
            section.node.line,
            format!(
                "{}: the variables take {bytes} bytes; Lambda refuses more than 4096.",
                reader.what
            ),
        );
    }
    variables
}
