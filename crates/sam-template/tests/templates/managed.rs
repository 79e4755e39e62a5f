//! Lambda Managed Instances: capacity providers, and the tables of usher.toml.

use sam_template::model::{Function, ManagedInstances};

use crate::fixture::{Mistake, assert_reported, complaints, function, good, warnings};

const PROVIDER: &str = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:main";

/// A function on a capacity provider, with these entries of its configuration, then properties.
fn managed(config: &str, properties: &str) -> String {
    function(&format!(
        "CapacityProviderConfig: {{Arn: '{PROVIDER}'{config}}}\n{properties}"
    ))
}

fn worker(template: &str, settings: &str) -> Function {
    good(template, settings).functions["Worker"].clone()
}

fn limits(function: &Function) -> (u32, Option<u32>) {
    (function.per_instance(), function.max_instances())
}

#[test]
fn a_capacity_provider_makes_a_function_managed() {
    let text = managed(
        ", PerExecutionEnvironmentMaxConcurrency: 64",
        "MemorySize: 4096\nTimeout: 1800\nFunctionScalingConfig: \
         {MinExecutionEnvironments: 3, MaxExecutionEnvironments: 5}",
    );
    let worker = worker(&text, "");
    let expected = ManagedInstances {
        max_concurrency: 64,
        max_instances: Some(5),
    };
    assert_eq!(worker.managed, Some(expected));
    assert_eq!(worker.timeout.as_secs(), 1_800);
    assert_eq!(limits(&worker), (64, Some(5)));
}

#[test]
fn no_execution_environment_switches_a_function_off() {
    let properties = "MemorySize: 2048\nFunctionScalingConfig: {MaxExecutionEnvironments: 0}";
    let application = good(&managed("", properties), "");
    assert_eq!(application.functions["Worker"].max_instances(), Some(0));
    let warned = warnings(&application);
    assert!(
        warned.contains(":11: function Worker: it never runs"),
        "{warned}"
    );
}

#[test]
fn without_a_number_a_process_takes_eight_for_each_vcpu() {
    let of = |config: &str, memory: u32| {
        let text = managed(config, &format!("MemorySize: {memory}"));
        worker(&text, "").per_instance()
    };
    assert_eq!(of("", 2_048), 8);
    assert_eq!(of("", 8_192), 32);
    let four = ", ExecutionEnvironmentMemoryGiBPerVCpu: 4.0";
    assert_eq!(of(four, 8_192), 16);
}

#[test]
fn globals_and_providers_of_the_template_are_read() {
    let text = function("MemorySize: 2048").replace(
        "Resources:\n",
        "Globals:\n  Function:\n    CapacityProviderConfig: {Arn: !GetAtt Provider.Arn, \
         PerExecutionEnvironmentMaxConcurrency: 16}\n  CapacityProvider:\n    VpcConfig: \
         {SubnetIds: [subnet-1]}\nResources:\n  Provider:\n    Type: \
         AWS::Serverless::CapacityProvider\n    Properties: {CapacityProviderName: main}\n  \
         Other:\n    Type: AWS::Lambda::CapacityProvider\n",
    );
    let text = text.replace("CodeUri: worker\n", "CodeUri: worker\n      Environment: {Variables: {P: !Ref Provider, A: !GetAtt Provider.Arn, O: !GetAtt Other.Arn}}\n");
    let worker = worker(&text, "stack = 'shop'");
    assert_eq!(worker.per_instance(), 16);
    let variable = |name: &str| worker.environment[name].as_str();
    assert_eq!((variable("P"), variable("A")), ("main", PROVIDER));
    assert!(variable("O").ends_with(":capacity-provider:shop-Other"));
}

#[test]
fn reserved_concurrency_counts_in_whole_processes() {
    let of = |reserved: u32| {
        let config = ", PerExecutionEnvironmentMaxConcurrency: 64";
        let properties = format!("MemorySize: 2048\nReservedConcurrentExecutions: {reserved}");
        let application = good(&managed(config, &properties), "");
        let warned = warnings(&application).contains("in whole processes");
        (application.functions["Worker"].max_instances(), warned)
    };
    assert_eq!(of(64), (Some(1), true));
    assert_eq!(of(65), (Some(2), true));
    assert_eq!(of(0), (Some(0), false));
}

#[test]
fn usher_toml_makes_a_function_managed_or_not() {
    let classic = function("ReservedConcurrentExecutions: 32");
    let settings = "[functions.Worker]\nmax-concurrency = 64\n";
    assert_eq!(limits(&worker(&classic, settings)), (64, Some(1)));
    let settings = "[functions.Worker]\nmax-concurrency = 64\ninstances = 2\n";
    assert_eq!(limits(&worker(&classic, settings)), (64, Some(2)));
    let settings = "[functions]\nWorker = { managed = true }\n";
    assert_eq!(limits(&worker(&classic, settings)), (8, Some(4)));

    let managed = managed(
        ", PerExecutionEnvironmentMaxConcurrency: 9",
        "MemorySize: 2048",
    );
    let settings = "[functions.Worker]\nmanaged = false\n";
    assert_eq!(worker(&managed, settings).managed, None);
    let settings = "[functions.Worker]\ninstances = 3\n";
    assert_eq!(limits(&worker(&managed, settings)), (9, Some(3)));
}

#[test]
fn a_table_may_name_a_function_that_is_switched_off() {
    let text = function("").replace(
        "Resources:\n",
        "Conditions: {Never: !Equals [a, b]}\nResources:\n  Off:\n    Type: \
         AWS::Serverless::Function\n    Condition: Never\n    Properties: {CodeUri: worker}\n",
    );
    good(&text, "[functions.Off]\nmax-concurrency = 8\n");
}

#[test]
fn mistakes_about_managed_instances_are_reported() {
    let memory = "MemorySize: 2048";
    let table: Vec<Mistake<'_>> = vec![
        (
            function("CapacityProviderConfig: {}\nMemorySize: 2048"),
            "",
            9,
            "CapacityProviderConfig has no Arn. Write `Arn: !GetAtt Provider.Arn`",
        ),
        (
            managed(", PerExecutionEnvironmentMaxConcurrency: 0", memory),
            "",
            9,
            "PerExecutionEnvironmentMaxConcurrency must be a whole number from 1 to 1600, not '0'",
        ),
        (
            managed(", PerExecutionEnvironmentMaxConcurrency: 1601", memory),
            "",
            9,
            "from 1 to 1600",
        ),
        (
            managed(", ExecutionEnvironmentMemoryGiBPerVCpu: 3", memory),
            "",
            9,
            "ExecutionEnvironmentMemoryGiBPerVCpu must be 2, 4 or 8, not '3'",
        ),
        (
            managed(", ExecutionEnvironmentMemoryGiBPerVCpu: 4", memory),
            "",
            9,
            "less than one vCPU. Write a smaller ratio, or `MemorySize: 4096`",
        ),
        (
            managed(", MaxConcurrency: 4", memory),
            "",
            9,
            "CapacityProviderConfig does not support MaxConcurrency",
        ),
        (managed("", "MemorySize: 512"), "", 10, "from 2048 to 32768"),
        (managed("", ""), "", 9, "Write `MemorySize: 2048`"),
        (
            managed("", "MemorySize: 2048\nTimeout: 5401"),
            "",
            11,
            "Timeout must be a whole number from 1 to 5400",
        ),
        (
            managed("", "MemorySize: 2048\nRuntime: provided.al2"),
            "",
            10,
            "do not have the runtime provided.al2. Write `Runtime: provided.al2023`",
        ),
        (
            managed("", "MemorySize: 2048\nVpcConfig: {SubnetIds: [subnet-1]}"),
            "",
            11,
            "SAM refuses CapacityProviderConfig and VpcConfig together",
        ),
        (
            managed(
                "",
                "MemorySize: 2048\nAutoPublishAlias: live\nProvisionedConcurrencyConfig: \
                 {ProvisionedConcurrentExecutions: 2}",
            ),
            "",
            12,
            "CapacityProviderConfig and ProvisionedConcurrencyConfig together",
        ),
        (
            function("FunctionScalingConfig: {MaxExecutionEnvironments: 2}"),
            "",
            9,
            "FunctionScalingConfig requires CapacityProviderConfig",
        ),
        (
            managed(
                "",
                "MemorySize: 2048\nFunctionScalingConfig: {MaxExecutionEnvironments: 15001}",
            ),
            "",
            11,
            "MaxExecutionEnvironments must be a whole number from 0 to 15000",
        ),
    ];
    assert_reported(&table);
}

#[test]
fn mistakes_of_a_table_are_reported() {
    let table: Vec<Mistake<'_>> = vec![
        (
            function(""),
            "[functions.Worker]\nmax-concurrency = 1601\n",
            2,
            "usher.toml [functions.Worker]: max-concurrency must be a whole number from 1 to 1600",
        ),
        (
            function(""),
            "[functions.Worker]\nmaxconcurrency = 4\n",
            2,
            "Did you mean max-concurrency?",
        ),
        (
            function(""),
            "[functions.Worker]\nmanaged = false\ninstances = 2\n",
            3,
            "managed = false turns them off",
        ),
        (
            function(""),
            "[functions.Worker]\ninstances = 2\n",
            0,
            "usher.toml line 1 [functions.Worker]: instances is for a function on managed \
             instances",
        ),
        (
            function(""),
            "[functions.Worked]\nmax-concurrency = 4\n",
            0,
            "names Worked, which is not a function of the template. Did you mean Worker?",
        ),
    ];
    assert_reported(&table);
}

#[test]
fn a_function_in_long_hand_is_checked_and_left_out() {
    let long_hand = |config: &str| {
        format!(
            "{}  Long:\n    Type: AWS::Lambda::Function\n    Properties:\n      \
             CapacityProviderConfig:\n        LambdaManagedInstancesCapacityProviderConfig:\n          \
             {config}\n",
            function("")
        )
    };
    let valid =
        format!("{{CapacityProviderArn: '{PROVIDER}', ExecutionEnvironmentMemoryGiBPerVCpu: 2.5}}");
    let application = good(&long_hand(&valid), "");
    assert_eq!(application.functions.len(), 1);
    let found = complaints(
        &long_hand(
            "{ExecutionEnvironmentMemoryGiBPerVCpu: 9, PerExecutionEnvironmentMaxConcurrency: 0}",
        ),
        "",
    );
    let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages.concat().contains("must be a number from 2 to 8"));
}
