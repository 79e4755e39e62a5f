//! Mistakes in Kafka mappings.

use crate::fixture::{ENDPOINT, assert_reported, function};

#[test]
fn mistakes_in_kafka_mappings_are_reported() {
    let event = |properties: &str| {
        function(&format!(
            "Events:\n  E:\n    Type: SelfManagedKafka\n    Properties: {properties}"
        ))
    };
    let local = "Topics: [t], KafkaBootstrapServers: ['127.0.0.1:9092']";
    assert_reported(&[
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
                "{{{local}, DestinationConfig: {{OnFailure: {{Destination: \
                 'arn:aws:sqs:us-east-1:1:q.fifo'}}}}}}"
            )),
            ENDPOINT,
            12,
            "is not a standard queue",
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
        (
            function("")
                + "  Long: {Type: 'AWS::Lambda::EventSourceMapping', Properties: {FunctionName: Nope, EventSourceArn: 'arn:aws:sqs:us-east-1:1:q'}}\n",
            ENDPOINT,
            9,
            "function Nope",
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
    ]);
}
