//! Lambda Managed Instances: `CapacityProviderConfig` and `FunctionScalingConfig` of a function,
//! and the tables of usher.toml that replace them.

use std::ops::RangeInclusive;

use super::super::parameters::did_you_mean_or;
use super::super::resources::Resource;
use super::super::scope::Scope;
use super::KIND;
use crate::document::Reader;
use crate::model::managed::{DEFAULT_GIB_PER_VCPU, MAX_CONCURRENCY};
use crate::model::{Application, ManagedInstances};
use crate::project::{LocalFunction, SETTINGS};

const CONFIG: &str = "CapacityProviderConfig";
const SCALING: &str = "FunctionScalingConfig";
const GIB_PER_VCPU: &str = "ExecutionEnvironmentMemoryGiBPerVCpu";
const PER_ENVIRONMENT: &str = "PerExecutionEnvironmentMaxConcurrency";

/// The function in long hand, which does not run here.
const LONG_HAND: &str = "AWS::Lambda::Function";

/// Ratios that the service offers ("`CapacityProviderConfig`" of SAM).
const RATIOS: [f64; 3] = [2.0, 4.0, 8.0];

/// Environments of a function at one time ("`FunctionScalingConfig`" in Lambda's API reference).
const ENVIRONMENTS: RangeInclusive<i64> = 0..=15_000;

/// The only runtime of native executables that managed instances have ("Lambda Managed Instances
/// runtimes").
const RUNTIME: &str = "provided.al2023";

/// Bounds that differ on managed instances.
pub(super) struct Bounds {
    /// `MemorySize`, MB.
    pub(super) memory_mb: RangeInclusive<i64>,
    /// `Timeout`, seconds.
    pub(super) timeout: RangeInclusive<i64>,
}

/// The bounds of a function. On managed instances the least memory is documented ("Best practices
/// for Lambda Managed Instances"); the highest memory and timeout are those of `CloudFormation`'s
/// resource schema.
pub(super) fn bounds(function: &Reader<'_>) -> Bounds {
    if function.has(CONFIG) {
        Bounds {
            memory_mb: 2_048..=32_768,
            timeout: 1..=5_400,
        }
    } else {
        Bounds {
            memory_mb: 128..=10_240,
            timeout: 1..=900,
        }
    }
}

/// The managed instances of a function, if it has a capacity provider.
pub(super) fn read(
    resource: &Resource,
    function: &Reader<'_>,
    scope: &Scope<'_>,
    memory_mb: u32,
) -> Option<ManagedInstances> {
    if !function.has(CONFIG) {
        if function.has(SCALING) {
            let message = format!(
                "{SCALING} requires {CONFIG}: only functions on managed instances have execution \
                 environments to scale. Write `{CONFIG}: {{Arn: !GetAtt Provider.Arn}}`, or \
                 remove it."
            );
            function.error(SCALING, &message);
        }
        return None;
    }
    let config = function.child(CONFIG)?;
    config.only(&format!("Arn {GIB_PER_VCPU} {PER_ENVIRONMENT}"));
    config.required(
        "Arn",
        "Write `Arn: !GetAtt Provider.Arn` of an AWS::Serverless::CapacityProvider.",
    );
    check_combination(resource, function, scope);
    let offered = |ratio: f64| RATIOS.contains(&ratio);
    let ratio = number(&config, GIB_PER_VCPU, "2, 4 or 8", offered);
    check_ratio(&config, ratio, memory_mb);
    let scaling = function.child(SCALING);
    let max_instances = scaling.and_then(|scaling| {
        scaling.only("MinExecutionEnvironments MaxExecutionEnvironments");
        scaling.number("MinExecutionEnvironments", ENVIRONMENTS);
        scaling.number("MaxExecutionEnvironments", ENVIRONMENTS)
    });
    let own = config.number(PER_ENVIRONMENT, MAX_CONCURRENCY);
    let ratio = ratio.unwrap_or(DEFAULT_GIB_PER_VCPU);
    Some(ManagedInstances {
        max_concurrency: own.map_or_else(
            || ManagedInstances::default_concurrency(memory_mb, ratio),
            |own| own as u32,
        ),
        max_instances: max_instances.map(|most| most as u32),
    })
}

/// Checks what a function on managed instances may not have beside them.
fn check_combination(resource: &Resource, function: &Reader<'_>, scope: &Scope<'_>) {
    let written = resource.written(scope.problems);
    let excluded = [
        (
            "ProvisionedConcurrencyConfig",
            "execution environments of a capacity provider run all the time. Write \
             FunctionScalingConfig with MinExecutionEnvironments",
        ),
        (
            "VpcConfig",
            "the capacity provider has the network. Write VpcConfig there",
        ),
    ];
    for (key, remedy) in excluded {
        if resource.has(key, scope) {
            let message =
                format!("SAM refuses {CONFIG} and {key} together: {remedy}, and remove it here.");
            written.error(key, &message);
        }
    }
    if !function.has("MemorySize") {
        let message = format!(
            "MemorySize is 128 where none is written, and managed instances have 2048 MB at \
             least. Write `MemorySize: 2048`, or remove {CONFIG}."
        );
        function.error(CONFIG, &message);
    }
    let runtime = function.text("Runtime");
    if let Some(other) =
        runtime.filter(|runtime| *runtime != RUNTIME && runtime.starts_with("provided"))
    {
        let message = format!(
            "managed instances do not have the runtime {other}. Write `Runtime: {RUNTIME}`."
        );
        function.error("Runtime", &message);
    }
    let reserved = function.number("ReservedConcurrentExecutions", 0..=100_000);
    if reserved.is_some_and(|reserved| reserved > 0) {
        let message = format!(
            "ReservedConcurrentExecutions is applied in whole processes here: as many as take that \
             number of invocations, each {PER_ENVIRONMENT}. Write `{SCALING}: \
             {{MaxExecutionEnvironments: N}}` to limit the processes themselves."
        );
        function.warn("ReservedConcurrentExecutions", &message);
    }
}

/// An environment has one vCPU at least.
fn check_ratio(config: &Reader<'_>, ratio: Option<f64>, memory_mb: u32) {
    let memory = f64::from(memory_mb) / 1024.0;
    if let Some(ratio) = ratio.filter(|ratio| memory >= 2.0 && *ratio > memory) {
        let message = format!(
            "{GIB_PER_VCPU} is {ratio}, and the function has {memory_mb} MB: less than one vCPU. \
             Write a smaller ratio, or `MemorySize: {}`.",
            ratio * 1024.0
        );
        config.error(GIB_PER_VCPU, &message);
    }
}

/// A number that may have a fraction.
fn number(
    reader: &Reader<'_>,
    key: &str,
    expected: &str,
    accepts: impl Fn(f64) -> bool,
) -> Option<f64> {
    let node = reader.get(key)?;
    let read = node.text().and_then(|text| text.trim().parse().ok());
    let number = read.filter(|number| accepts(*number));
    if number.is_none() {
        reader.wrong(node, key, expected);
    }
    number
}

/// Checks the bounds of the same settings of functions in long hand, which do not run here.
pub(super) fn check_long_hand(scope: &Scope<'_>) {
    for resource in scope.of_kind(LONG_HAND) {
        // a value that only the service can evaluate is no error of a resource that does not run
        let resolved = || resource.resolved(CONFIG, scope);
        let Some(properties) = scope.problems.ignoring(resolved) else {
            continue;
        };
        let reader = Reader::new(&properties, resource.what(), scope.problems);
        let inner = "LambdaManagedInstancesCapacityProviderConfig";
        let Some(config) = reader.child(CONFIG) else {
            continue;
        };
        config.only(inner);
        let Some(config) = config.child(inner) else {
            continue;
        };
        config.only(&format!(
            "CapacityProviderArn {GIB_PER_VCPU} {PER_ENVIRONMENT}"
        ));
        config.required("CapacityProviderArn", "Write `!GetAtt Provider.Arn`.");
        let within = |ratio: f64| (2.0..=8.0).contains(&ratio);
        number(&config, GIB_PER_VCPU, "a number from 2 to 8", within);
        config.number(PER_ENVIRONMENT, MAX_CONCURRENCY);
    }
}

/// Applies the tables of usher.toml. A function whose condition is false may be named, so that
/// usher.toml need not follow the parameters.
pub(in super::super) fn apply_overrides(scope: &Scope<'_>, application: &mut Application) {
    for (id, local) in &scope.project.functions {
        let known: Vec<String> = application.functions.keys().cloned().collect();
        match application.functions.get_mut(id) {
            Some(function) => {
                let managed = overridden(function.managed.take(), local, function.memory_mb);
                if managed.is_none() && local.instances.is_some() {
                    let message = format!(
                        "{SETTINGS} line {} [functions.{id}]: instances is for a function on \
                         managed instances. Write max-concurrency as well, or limit the processes \
                         of {id} by [settings.{id}] concurrency.",
                        local.line
                    );
                    scope.problems.error(0, message);
                }
                function.managed = managed;
            }
            // A function with an invalid definition has been reported.
            None if scope.problems.has_errors() || scope.kind_of(id) == Some(KIND) => {}
            None => {
                let hint =
                    did_you_mean_or("The functions are", id, known.iter().map(String::as_str));
                let message = format!(
                    "{SETTINGS} line {} [functions] names {id}, which is not a function of the \
                     template. {hint}",
                    local.line
                );
                scope.problems.error(0, message);
            }
        }
    }
}

/// The managed instances that a table leaves, where the template has these.
fn overridden(
    template: Option<ManagedInstances>,
    local: &LocalFunction,
    memory_mb: u32,
) -> Option<ManagedInstances> {
    let wanted = local.managed == Some(true) || local.max_concurrency.is_some();
    if local.managed == Some(false) || (template.is_none() && !wanted) {
        return None;
    }
    let mut managed = template.unwrap_or_else(|| ManagedInstances {
        max_concurrency: ManagedInstances::default_concurrency(memory_mb, DEFAULT_GIB_PER_VCPU),
        max_instances: None,
    });
    managed.max_concurrency = local.max_concurrency.unwrap_or(managed.max_concurrency);
    managed.max_instances = local.instances.or(managed.max_instances);
    Some(managed)
}
