//! Mistakes in queues and their mappings.

use crate::fixture::{ENDPOINT, assert_reported, function};

#[test]
fn mistakes_in_queues_are_reported() {
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
    assert_reported(&[
        (
            function("Environment: {Variables: {A: !Sub '${Q.Arn}'}}")
                + "  Q: {Type: 'AWS::SQS::Queue', Condition: No}\nConditions: \
                    {No: !Equals [a, b]}\n",
            "",
            9,
            "Put the reference into Fn::If of No",
        ),
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
    ]);
}
