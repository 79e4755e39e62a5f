//! Event source mappings, queues and schedules.

use sam_template::model::{KafkaKind, StartingPosition};
use sam_template::project::Arguments;

use crate::fixture::{ENDPOINT, Folder, function, good};

#[test]
fn kafka_mappings_are_read_in_three_forms() {
    let text = function(
        "Events:\n  Own:\n    Type: SelfManagedKafka\n    Properties: \
         {Topics: [t], KafkaBootstrapServers: ['127.0.0.1:9092'], BatchSize: 5}\n  \
         Msk:\n    Type: MSK\n    Properties: \
         {Stream: !Ref Cluster, Topics: [t], StartingPosition: LATEST}",
    ) + "  Cluster: {Type: 'AWS::MSK::Cluster'}\n  Long:\n    Type: \
        AWS::Lambda::EventSourceMapping\n    Properties:\n      \
         FunctionName: !GetAtt Worker.Arn\n      Topics: [t]\n      BatchSize: 500\n      \
         MaximumBatchingWindowInSeconds: 1\n      \
         FunctionResponseTypes: [ReportBatchItemFailures]\n      MaximumRetryAttempts: -1\n      \
         ProvisionedPollerConfig: {MinimumPollers: 1}\n      \
         SelfManagedEventSource: {Endpoints: {KafkaBootstrapServers: ['localhost:9093']}}\n      \
         SelfManagedKafkaEventSourceConfig: {ConsumerGroupId: mine}\n";
    let app = good(
        &text,
        "stack = 's'\n[kafka]\n\"arn:aws:kafka:us-east-1:000000000000:cluster/s-Cluster/00000000\" = '127.0.0.1:9094'\n",
    );
    let [own, msk, long] = &app.kafka[..] else {
        panic!("{:?}", app.kafka)
    };
    assert_eq!(
        (own.id.as_str(), own.kind.clone(), own.batch_size),
        ("Worker.Own", KafkaKind::SelfManaged, 5)
    );
    assert_eq!(
        (msk.bootstrap_servers.as_str(), msk.start),
        ("127.0.0.1:9094", StartingPosition::Latest)
    );
    assert!(matches!(&msk.kind, KafkaKind::Msk { arn } if arn.contains("s-Cluster")));
    assert_eq!(
        (long.function.as_str(), long.group.as_str(), long.batch_size),
        ("Worker", "mine", 500)
    );
    assert!(long.partial_responses && long.max_retries.is_none() && own.group != msk.group);
}

#[test]
fn a_cluster_of_msk_takes_tokens_of_its_region() {
    const ARN: &str = "arn:aws:kafka:eu-central-1:1:cluster/c/1";
    let text = function(&format!(
        "Events: {{E: {{Type: MSK, Properties: {{Stream: '{ARN}', Topics: [t]}}}}}}"
    ));
    let entry = |more: &str| {
        format!("[kafka]\n'{ARN}' = {{ servers = '127.0.0.1:9098', iam = 'eu-central-1'{more} }}\n")
    };
    let app = good(&text, &entry(""));
    let security = &app.kafka[0].security;
    assert_eq!(
        (security.tls, security.iam.as_deref(), &security.login),
        (true, Some("eu-central-1"), &None)
    );
}

#[test]
fn unlimited_retries_with_a_destination_become_ten() {
    let text = function(
        "Events:\n  Own:\n    Type: SelfManagedKafka\n    Properties:\n      Topics: [t]\n      \
         KafkaBootstrapServers: ['127.0.0.1:9092']\n      \
         DestinationConfig: {OnFailure: {Type: Kafka, Destination: 'kafka://parked'}}",
    );
    let app = good(&text, "");
    assert_eq!(app.kafka[0].max_retries, Some(10));
    assert!(
        app.warnings.iter().any(|w| w.message.contains("become 10")),
        "{:?}",
        app.warnings
    );
}

#[test]
fn queue_mappings_are_read_in_both_forms() {
    let text = function(
        "Timeout: 5\nEvents:\n  Own:\n    Type: SQS\n    Properties:\n      Queue: !GetAtt \
         Orders.Arn\n      BatchSize: 100\n      \
         MaximumBatchingWindowInSeconds: 2\n      FunctionResponseTypes: \
         [ReportBatchItemFailures]\n      ScalingConfig: {MaximumConcurrency: 3}",
    ) + "  Orders:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName: !Sub \
        '${AWS::StackName}-orders'\n      VisibilityTimeout: 32\n      \
           RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 4}\n  \
         Dead: {Type: 'AWS::SQS::Queue', Properties: {MessageRetentionPeriod: 600, KmsMasterKeyId: x}}\n  \
         Ordered: {Type: 'AWS::SQS::Queue', Properties: {FifoQueue: true, ContentBasedDeduplication: true, VisibilityTimeout: 30}}\n  \
         Long:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: \
         {FunctionName: !Ref Worker, EventSourceArn: !GetAtt Ordered.Arn, Enabled: false}\n  \
         Elsewhere:\n    Type: AWS::Lambda::EventSourceMapping\n    Properties: \
         {FunctionName: !GetAtt Worker.Arn, EventSourceArn: 'arn:aws:sqs:eu-west-1:123456789012:theirs'}\n";
    let app = good(&text, &format!("stack = 's'\n{ENDPOINT}"));
    assert_eq!(app.warnings, []);
    assert_eq!(app.sqs_endpoint.as_deref(), Some("http://127.0.0.1:9324"));
    let [orders, dead, ordered] = &app.queues[..] else {
        panic!("{:?}", app.queues)
    };
    assert_eq!(
        (orders.name.as_str(), orders.visibility.as_secs()),
        ("s-orders", 32)
    );
    assert_eq!(
        orders
            .redrive
            .as_ref()
            .map(|r| (r.target_name(), r.max_receives)),
        Some(("s-Dead", 4))
    );
    assert_eq!(
        (
            dead.arn.as_str(),
            dead.attributes["MessageRetentionPeriod"].as_str()
        ),
        ("arn:aws:sqs:us-east-1:000000000000:s-Dead", "600")
    );
    assert_eq!(
        (
            ordered.name.as_str(),
            ordered.fifo,
            ordered.attributes["FifoQueue"].as_str()
        ),
        ("s-Ordered.fifo", true, "true")
    );
    let [own, long, elsewhere] = &app.sqs[..] else {
        panic!("{:?}", app.sqs)
    };
    assert_eq!(
        (
            own.id.as_str(),
            own.queue_name(),
            own.batch_size,
            own.batching_window.as_secs()
        ),
        ("Worker.Own", "s-orders", 100, 2)
    );
    assert_eq!(
        (own.partial_responses, own.max_concurrency, own.enabled),
        (true, Some(3), true)
    );
    assert_eq!(
        (
            long.function.as_str(),
            long.fifo(),
            long.batch_size,
            long.enabled
        ),
        ("Worker", true, 10, false)
    );
    assert_eq!(
        (elsewhere.queue_name(), elsewhere.partial_responses),
        ("theirs", false)
    );
    assert_eq!(
        app.functions["Worker"].environment["AWS_ENDPOINT_URL_SQS"],
        "http://127.0.0.1:9324"
    );
}

#[test]
fn queues_without_an_endpoint_are_embedded() {
    let text = function("Environment: {Variables: {URL: !Ref Q}}")
        + "  Q: {Type: 'AWS::SQS::Queue', Properties: {QueueName: q}}\n";
    for (settings, url, on_disk) in [
        ("", "http://127.0.0.1:18324", false),
        (
            "[embedded-queues]\naddress = '127.0.0.1:7'\nstorage = 'disk'\n",
            "http://127.0.0.1:7",
            true,
        ),
    ] {
        let app = good(&text, settings);
        let embedded = app.embedded_queues.unwrap();
        assert_eq!(
            (embedded.url(), embedded.on_disk),
            (url.to_owned(), on_disk)
        );
        assert_eq!(app.sqs_endpoint.as_deref(), Some(url));
        let environment = &app.functions["Worker"].environment;
        assert_eq!(environment["AWS_ENDPOINT_URL_SQS"], url);
        assert!(
            environment["URL"].starts_with(url),
            "{}",
            environment["URL"]
        );
    }
    assert_eq!(good(&text, ENDPOINT).embedded_queues, None);
    assert_eq!(good(&function("Timeout: 3"), "").embedded_queues, None);
}

#[test]
fn a_functions_own_sqs_endpoint_is_kept() {
    let text = function("Environment: {Variables: {AWS_ENDPOINT_URL_SQS: 'http://127.0.0.1:7'}}");
    assert_eq!(
        good(&text, ENDPOINT).functions["Worker"].environment["AWS_ENDPOINT_URL_SQS"],
        "http://127.0.0.1:7"
    );
    assert!(
        good(&text, "").sqs_endpoint.is_none(),
        "without queues no endpoint is required"
    );
}

#[test]
fn inefficient_queue_settings_are_warnings() {
    let queue = |visibility: &str| {
        format!(
            "  Q: {{Type: 'AWS::SQS::Queue', Properties: {{VisibilityTimeout: {visibility}}}}}\n"
        )
    };
    let read = |more: &str| {
        function(&format!(
            "Timeout: 10\nReservedConcurrentExecutions: 2\nEvents: {{A: {{Type: SQS, Properties: \
             {{Queue: !GetAtt Q.Arn{more}}}}}}}"
        ))
    };
    let said = |text: String| {
        let warnings = good(&text, ENDPOINT).warnings;
        warnings
            .iter()
            .map(|w| format!("{}: {}", w.line, w.message))
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(said(read("") + &queue("60")), "");
    assert!(said(read("") + &queue("59")).contains("`VisibilityTimeout: 60`"));
    assert!(
        said(read(", MaximumBatchingWindowInSeconds: 5") + &queue("60"))
            .contains("`VisibilityTimeout: 65`")
    );
    assert!(
        said(read(", ScalingConfig: {MaximumConcurrency: 3}") + &queue("60"))
            .contains("is more than Worker may have")
    );
    let other =
        function("Timeout: 10\nEvents: {A: {Type: SQS, Properties: {Queue: !GetAtt Q.Arn}}}")
            .split("  Worker:")
            .nth(1)
            .unwrap()
            .to_owned();
    assert!(
        said(read("") + &format!("  Other:{other}") + &queue("60")).contains("each gets a part")
    );
}

#[test]
fn rates_in_seconds_are_for_settings_only() {
    let text = function(
        "Events: {Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), ScheduleExpressionTimezone: Europe/Madrid}}}",
    );
    let app = good(&text, "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n");
    assert_eq!(
        (
            app.schedules[0].expression.as_str(),
            app.schedules[0].timezone.as_str()
        ),
        ("rate(1 second)", "Europe/Madrid")
    );
}

#[test]
fn an_inactive_schedule_may_be_overridden() {
    let text = function(
        "Events:\n  Tick: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute)}}",
    )
    .replace("    Metadata:", "    Condition: Wanted\n    Metadata:")
        + "Parameters: {On: {Type: String, Default: 'true'}}\nConditions: {Wanted: !Equals [!Ref On, 'true']}\n";
    let settings = "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n";
    assert_eq!(
        good(&text, settings).schedules[0].expression,
        "rate(1 second)"
    );
    let off = Arguments {
        parameter_overrides: vec!["On=false".into()],
        ..Arguments::default()
    };
    assert!(
        Folder::new(&text, settings)
            .load(&off)
            .unwrap()
            .schedules
            .is_empty()
    );
    let misspelt = Folder::new(&text, "[schedules]\n'Worker.Tock' = 'rate(1 second)'\n")
        .load(&off)
        .unwrap_err();
    assert!(misspelt[0].message.contains("Worker.Tock"), "{misspelt:?}");
}
