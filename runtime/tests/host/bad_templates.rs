//! What is said of wrong templates: one message each, with its line and its remedy. The common mistakes stand as whole
//! templates under `tests/bad_templates`; here are the bounds and the finer points, a line each.

use usher::project::Project;
use usher::template;

use crate::template::{ENDPOINT, complaints, function};

/// One mistake each: the template, the settings, the line it is on, words of the message.
#[test]
fn each_wrong_template_gets_one_message_with_its_line_and_remedy() {
    let event = |properties: &str| {
        function(&format!(
            "Events:\n  E:\n    Type: SelfManagedKafka\n    Properties: {properties}"
        ))
    };
    let route = |properties: &str, api: &str| {
        function(&format!(
            "Events:\n  E: {{Type: HttpApi, Properties: {properties}}}"
        )) + api
    };
    let read = |more: &str, queue: &str| {
        let event = format!(
            "Timeout: 30\nEvents: {{E: {{Type: SQS, Properties: {{Queue: !GetAtt Q.Arn{more}}}}}}}"
        );
        function(&event)
            + &format!(
                "  Q: {{Type: 'AWS::SQS::Queue', Properties: {{VisibilityTimeout: 400{queue}}}}}\n"
            )
    };
    let queues = |first: &str, second: &str| {
        let queue = |id: &str, properties: &str| {
            format!("  {id}: {{Type: 'AWS::SQS::Queue', Properties: {{{properties}}}}}\n")
        };
        function("Timeout: 3") + &queue("Q", first) + &queue("R", second)
    };
    let redrive = |target: &str, more: &str| {
        format!("RedrivePolicy: {{deadLetterTargetArn: {target}{more}}}")
    };
    let local = "Topics: [t], KafkaBootstrapServers: ['127.0.0.1:9092']";
    let table: Vec<(String, &str, usize, &str)> = vec![
        (String::new(), "", 1, "the file is empty"),
        ("- a\n".into(), "", 1, "a template is a mapping"),
        (
            "Transform: AWS::Serverless-2016-10-31\n".into(),
            "",
            1,
            "has no Resources",
        ),
        (
            function("").replacen("Transform: AWS::Serverless-2016-10-31", "Description: x", 1),
            "",
            1,
            "has no Transform",
        ),
        (
            function("") + "Resource: {}\n",
            "",
            9,
            "Did you mean Resources?",
        ),
        (
            function("Timeout: 1000"),
            "",
            9,
            "whole number from 1 to 900",
        ),
        (function("MemorySize: 64"), "", 9, "from 128 to 10240"),
        (
            function("").replace("      CodeUri: worker\n", ""),
            "",
            7,
            "has no CodeUri",
        ),
        (
            function("").replace("Serverless::Function", "Serverless::Funktion"),
            "",
            3,
            "Did you mean AWS::Serverless::Function?",
        ),
        (
            function("Environment: {Variables: {L: [a]}}"),
            "",
            9,
            "Join lists with !Join",
        ),
        (
            function("Environment: {Variables: {A: !Sub '${Worker'}}"),
            "",
            9,
            "no closing }",
        ),
        (
            function("Environment: {Variables: {A: !If [Nope, 1, 2]}}"),
            "",
            9,
            "no condition 'Nope'",
        ),
        (
            function("Environment: {Variables: {A: !Ref T}}")
                + "  T: {Type: 'AWS::DynamoDB::Table', Condition: No, Properties: {TableName: t}}\nConditions: {No: !Equals [a, b]}\n",
            "",
            9,
            "its condition No does not hold",
        ),
        (
            function("Environment: {Variables: {A: !Sub '${Q.Arn}'}}")
                + "  Q: {Type: 'AWS::SQS::Queue', Condition: No}\nConditions: {No: !Equals [a, b]}\n",
            "",
            9,
            "Put the reference into Fn::If of No",
        ),
        (
            function("Environment: {Variables: {A: !Select [3, [a, b]]}}"),
            "",
            9,
            "item '3' of 2",
        ),
        (
            function("") + "Conditions:\n  A: !Equals [a]\n",
            "",
            10,
            "Fn::Equals takes two values",
        ),
        (
            function("") + "Parameters:\n  A: {Type: Number, Default: x}\n",
            "",
            10,
            "its Type is Number",
        ),
        (
            function("") + "Parameters:\n  A: {Type: String, Default: c, AllowedValues: [a, b]}\n",
            "",
            10,
            "allowed are a, b",
        ),
        (
            function("")
                + "Parameters:\n  A: {Type: String, Default: Ab, AllowedPattern: '[a-z]+'}\n",
            "",
            10,
            "must match [a-z]+",
        ),
        (
            function("") + "Parameters:\n  A: {Type: String, Default: a, MinLength: 3}\n",
            "",
            10,
            "at least 3 characters long",
        ),
        (
            function("Events: {E: {Properties: {}}}"),
            "",
            9,
            "has no Type",
        ),
        (
            event("{Topics: [a, b], KafkaBootstrapServers: ['127.0.0.1:9092']}"),
            "",
            12,
            "reads exactly one",
        ),
        (
            event("{Topics: [a], KafkaBootstrapServers: ['127.0.0.1:99999']}"),
            "",
            12,
            "port '99999'",
        ),
        (
            event(&format!("{{{local}, BatchSize: 20000}}")),
            "",
            12,
            "from 1 to 10000",
        ),
        (
            event(&format!(
                "{{{local}, FilterCriteria: {{Filters: [{{Pattern: '{{'}}]}}}}"
            )),
            "",
            12,
            "the pattern is not JSON",
        ),
        (
            event(&format!(
                "{{{local}, FilterCriteria: {{Filters: [{{Pattern: '{{\"key\": [\"a\"]}}'}}]}}}}"
            )),
            "",
            12,
            "looks into value only",
        ),
        (
            event(&format!("{{{local}, FilterCriteria: {{Filters: [{{}}]}}}}")),
            "",
            12,
            "has no Pattern",
        ),
        (
            event(&format!(
                "{{{local}, FilterCriteria: {{Filters: [{}]}}}}",
                ["{Pattern: x}"; 11].join(",")
            )),
            "",
            12,
            "at most 10",
        ),
        (
            event(&format!("{{{local}, ConsumptionMode: x}}")),
            "",
            12,
            "pre-release",
        ),
        (
            event(&format!("{{{local}, StartingPosition: BEGIN}}")),
            "",
            12,
            "TRIM_HORIZON, LATEST or AT_TIMESTAMP",
        ),
        (
            event(&format!(
                "{{{local}, SourceAccessConfigurations: [{{Type: SASL_SCRAM_512_AUTH, URI: x}}]}}"
            )),
            "",
            12,
            "[secrets] \"x\" = ",
        ),
        (
            event(&format!(
                "{{{local}, DestinationConfig: {{OnFailure: {{Destination: 'arn:aws:s3:::b'}}}}}}"
            )),
            "",
            12,
            "cannot be sent to arn:aws:s3:::b from here: there is no S3",
        ),
        (
            event(&format!(
                "{{{local}, DestinationConfig: {{OnFailure: {{Type: SQS}}}}}}"
            )),
            "",
            12,
            "SAM creates no queue of its own",
        ),
        (
            event(&format!(
                "{{{local}, DestinationConfig: {{OnFailure: {{Destination: 'arn:aws:sqs:us-east-1:1:q.fifo'}}}}}}"
            )),
            ENDPOINT,
            12,
            "is not a standard queue",
        ),
        (
            event(&format!(
                "{{{local}, DestinationConfig: {{OnFailure: {{Destination: 'arn:aws:sqs:us-east-1:1:q'}}}}}}"
            )),
            "",
            12,
            "[endpoints] sqs = ",
        ),
        (
            event(&format!(
                "{{{local}, DestinationConfig: {{OnFailure: {{Destination: 'kafka://t'}}}}}}"
            )),
            "",
            12,
            "read again without end",
        ),
        (
            event(&format!("{{{local}, MaximumRecordAgeInSeconds: 30}}")),
            "",
            12,
            "60 to 604800",
        ),
        (
            event(&format!("{{{local}}}"))
                .replace("CodeUri: worker", "CodeUri: worker\n      Timeout: 900"),
            "",
            13,
            "over 14 minutes",
        ),
        (
            function(
                "Events: {E: {Type: MSK, Properties: {Stream: 'arn:aws:kafka:x:1:cluster/c/1', Topics: [t]}}}",
            ),
            "",
            9,
            "[kafka]",
        ),
        (read("", ""), "", 10, "[endpoints] sqs = "),
        (queues("", ""), "", 10, "the functions would call AWS"),
        (
            read("", "").replace("!GetAtt Q.Arn", "!Ref Q"),
            ENDPOINT,
            10,
            "`!Ref Queue` is its URL",
        ),
        (
            read("", "").replace("Queue: !GetAtt Q.Arn", ""),
            ENDPOINT,
            10,
            "has no Queue",
        ),
        (
            read(", BatchSize: 11", ""),
            ENDPOINT,
            10,
            "MaximumBatchingWindowInSeconds: 1",
        ),
        (
            read(", BatchSize: 20000", ""),
            ENDPOINT,
            10,
            "from 1 to 10000",
        ),
        (
            read(", MaximumBatchingWindowInSeconds: 301", ""),
            ENDPOINT,
            10,
            "from 0 to 300",
        ),
        (
            read(", BatchSize: 11", ", FifoQueue: true"),
            ENDPOINT,
            10,
            "`BatchSize: 10` or less",
        ),
        (
            read(", MaximumBatchingWindowInSeconds: 1", ", FifoQueue: true"),
            ENDPOINT,
            10,
            "takes no batching window",
        ),
        (
            read(
                ", FilterCriteria: {Filters: [{Pattern: '{\"a\": [1]}'}]}",
                "",
            ),
            ENDPOINT,
            10,
            "looks into body only",
        ),
        (
            read(", FunctionResponseTypes: [All]", ""),
            ENDPOINT,
            10,
            "ReportBatchItemFailures, not All",
        ),
        (
            read(", ScalingConfig: {MaximumConcurrency: 1}", ""),
            ENDPOINT,
            10,
            "from 2 to 1000",
        ),
        (
            read(", BatchSiz: 1", ""),
            ENDPOINT,
            10,
            "Did you mean BatchSize?",
        ),
        (
            read("", "").replace("VisibilityTimeout: 400", "VisibilityTimeout: 29"),
            ENDPOINT,
            11,
            "`VisibilityTimeout: 180`",
        ),
        (
            read("", "").replace("VisibilityTimeout: 400", "VisibilityTimeout: 43201"),
            ENDPOINT,
            11,
            "from 0 to 43200",
        ),
        (
            read("", "").replace(
                "Events: {",
                "Events: {F: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}, ",
            ),
            ENDPOINT,
            10,
            "both read",
        ),
        (
            function("")
                + "  Long: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: Nope, EventSourceArn: 'arn:aws:sqs:us-east-1:1:q'}}\n",
            ENDPOINT,
            9,
            "function Nope",
        ),
        (
            queues("DelaySecond: 1", ""),
            ENDPOINT,
            10,
            "Did you mean DelaySeconds?",
        ),
        (
            queues("QueueName: 'a b'", ""),
            ENDPOINT,
            10,
            "is not a queue's name",
        ),
        (
            queues("QueueName: x, FifoQueue: true", ""),
            ENDPOINT,
            10,
            "`QueueName: x.fifo`",
        ),
        (
            queues("QueueName: x.fifo", ""),
            ENDPOINT,
            10,
            "`FifoQueue: true`",
        ),
        (
            queues("QueueName: x", "QueueName: x"),
            ENDPOINT,
            11,
            "already has the name x",
        ),
        (
            queues("ContentBasedDeduplication: true", ""),
            ENDPOINT,
            10,
            "is for FIFO queues",
        ),
        (
            queues("FifoQueue: true, DeduplicationScope: all", ""),
            ENDPOINT,
            10,
            "messageGroup or queue",
        ),
        (
            queues(&redrive("!GetAtt R.Arn", ""), ""),
            ENDPOINT,
            10,
            "has no maxReceiveCount",
        ),
        (
            queues(&redrive("!GetAtt R.Arn", ", maxReceiveCount: 0"), ""),
            ENDPOINT,
            10,
            "from 1 to 1000",
        ),
        (
            queues(&redrive("!Ref R", ", maxReceiveCount: 2"), ""),
            ENDPOINT,
            10,
            "is not the ARN of a queue",
        ),
        (
            queues(&redrive("!GetAtt Q.Arn", ", maxReceiveCount: 2"), ""),
            ENDPOINT,
            10,
            "would go to itself",
        ),
        (
            queues(
                &redrive("!GetAtt R.Arn", ", maxReceiveCount: 2"),
                "FifoQueue: true",
            ),
            ENDPOINT,
            10,
            "must be of the same kind",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: every minute}}}"),
            "",
            9,
            "is not a schedule",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: rate(1 minutes)}}}"),
            "",
            9,
            "rate(1 minute)",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: rate(5 seconds)}}}"),
            "",
            9,
            "usher.toml under [schedules]",
        ),
        (
            function("Events: {E: {Type: Schedule, Properties: {Schedule: cron(0 12 1 * 2 *)}}}"),
            "",
            9,
            "exclude each other",
        ),
        (
            function(
                "Events: {E: {Type: Schedule, Properties: {Schedule: 'at(2030-01-01T00:00:00)'}}}",
            ),
            "",
            9,
            "only ScheduleV2",
        ),
        (
            function(
                "Events: {E: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 day), ScheduleExpressionTimezone: Mars/Base}}}",
            ),
            "",
            9,
            "no time zone Mars/Base",
        ),
        (
            function(""),
            "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n",
            0,
            "is not a schedule of the template",
        ),
        (
            function(""),
            "[kafka]\n'Worker.Orders' = '127.0.0.1:9092'\n",
            0,
            "is no Kafka mapping of the template",
        ),
        (
            event(&format!("{{{local}}}")),
            "[kafka]\n'Worker.EE' = '127.0.0.1:9092'\n",
            0,
            "Did you mean Worker.E?",
        ),
        (
            route("{Path: a, Method: get}", ""),
            "",
            10,
            "must begin with /",
        ),
        (
            route("{Path: '/{a+}/b', Method: get}", ""),
            "",
            10,
            "Put it last",
        ),
        (
            route("{Path: /a, Method: FETCH}", ""),
            "",
            10,
            "Method is one of",
        ),
        (
            route("{Path: /a, Method: get, ApiId: !Ref Nope}", ""),
            "",
            10,
            "no AWS::Serverless::HttpApi Nope",
        ),
        (
            route("{Path: /a, Method: get, PayloadFormatVersion: '1.0'}", ""),
            "",
            10,
            "only payload format 2.0",
        ),
        (
            route("{Path: /a, Method: get, Auth: {Authorizer: Jwt}}", ""),
            "",
            10,
            "no authorizer Jwt",
        ),
        (
            function("")
                + "  Long: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: Nope, Topics: [t], SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ['127.0.0.1:1']}}}}\n",
            "",
            9,
            "function Nope",
        ),
        (
            function("")
                + "  Long: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: !Ref Worker, Topics: [t]}}\n",
            "",
            9,
            "has no source",
        ),
    ];
    let mut wrong = Vec::new();
    for (text, settings, line, words) in table {
        let found = complaints(&text, settings);
        let sound = matches!(&found[..], [(at, message)] if *at == line && message.contains(words));
        if !sound {
            wrong.push(format!(
                "\n--- expected line {line}: {words}\n{text}--- found {found:?}\n"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.concat());
}

#[test]
fn several_mistakes_are_all_told_in_one_run() {
    let text = function(
        "Timeout: 0\nEvents:\n  A: {Type: Schedule, Properties: {Schedule: never}}\n  B: {Type: Kafka}\nEnvironment: {Variables: {X: !Ref Y}}",
    ) + "Parameters: {P: {Type: String}}\n";
    let lines: Vec<usize> = complaints(&text, "")
        .iter()
        .map(|(line, _)| *line)
        .collect();
    assert_eq!(lines.len(), 4, "{lines:?}");
}

#[test]
fn a_missing_template_is_named_with_the_remedy() {
    let found = template::load(
        std::path::Path::new("/nowhere/template.yaml"),
        &Project::default(),
    )
    .unwrap_err();
    assert!(
        found[0].to_string().contains("--template FILE"),
        "{}",
        found[0]
    );
}
