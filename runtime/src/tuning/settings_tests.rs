use super::*;
use std::collections::BTreeSet;

use sam_template::model::{Code, Function, Location, SqsMapping};

fn app() -> Application {
    let queue = |id: &str, name: &str| SqsMapping {
        id: id.into(),
        function: "F".into(),
        queue_arn: format!("arn:aws:sqs:us-east-1:000000000000:{name}"),
        batch_size: 10,
        batching_window: Duration::ZERO,
        partial_responses: true,
        max_concurrency: Some(3),
        filters: None,
        enabled: true,
    };
    let function = Function {
        id: "F".into(),
        name: "F".into(),
        location: Location::default(),
        qualifiers: BTreeSet::new(),
        code: Code::Prebuilt("f".into()),
        handler: "bootstrap".into(),
        timeout: Duration::from_secs(3),
        memory_mb: 128,
        concurrency: None,
        environment: BTreeMap::new(),
        logging: sam_template::model::Logging::default(),
        place: "template.yaml:1".into(),
    };
    Application {
        sqs: vec![queue("Plain", "q"), queue("Ordered", "q.fifo")],
        functions: BTreeMap::from([("F".to_owned(), function)]),
        ..Application::default()
    }
}

fn wish(target: &str, setting: &str, value: &str) -> Wish {
    Wish {
        target: target.into(),
        setting: setting.into(),
        value: value.into(),
    }
}

#[test]
fn a_change_is_in_force_and_remembered_with_who_made_it() {
    let mut settings = Settings::new(&app(), 16, "info", Duration::ZERO);
    let change = settings
        .change(7, "cli", &wish("F", "concurrency", "2"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (change.old, change.new),
        (Value::Number(16), Value::Number(2))
    );
    assert_eq!(settings.for_source("Plain").unwrap().concurrency, 2);
    assert_eq!(
        settings.change(8, "cli", &wish("F", "concurrency", "2")),
        Ok(None)
    );
    settings
        .change(9, "page", &wish("Plain", "paused", "true"))
        .unwrap();
    assert!(settings.for_source("Plain").unwrap().paused);
    let who: Vec<(u64, String)> = settings
        .changes()
        .into_iter()
        .map(|change| (change.at_ms, change.who))
        .collect();
    assert_eq!(who, [(9, "page".to_owned()), (7, "cli".to_owned())]);
}

#[test]
fn a_wrong_wish_says_why_and_changes_nothing() {
    let mut settings = Settings::new(&app(), 16, "info", Duration::ZERO);
    let before = settings.shown();
    let table = [
        ("Plan", "paused", "true", "Did you mean Plain?"),
        (
            "Plain",
            "concurrency",
            "2",
            "batch-size, batching-window, paused",
        ),
        ("F", "concurrency", "0", "from 1 to 1000"),
        ("F", "concurrency", "many", "not 'many'"),
        ("Plain", "batch-size", "10001", "from 1 to 10000"),
        ("Plain", "batch-size", "11", "Set batching-window first"),
        ("Ordered", "batch-size", "11", "FIFO"),
        ("Ordered", "batching-window", "1", "FIFO"),
        ("Plain", "batching-window", "301", "from 0 to 300"),
        ("Plain", "paused", "maybe", "true or false"),
        (HOST, "log", " ", "must name a level"),
    ];
    for (target, setting, value, words) in table {
        let why = settings
            .change(0, "cli", &wish(target, setting, value))
            .unwrap_err();
        assert!(why.contains(words), "{why}");
    }
    assert_eq!((settings.shown(), settings.changes()), (before, vec![]));
}

#[test]
fn a_larger_batch_of_a_queue_may_follow_its_window_and_keeps_it() {
    let mut settings = Settings::new(&app(), 16, "info", Duration::ZERO);
    for (setting, value) in [("batching-window", "2s"), ("batch-size", "500")] {
        assert!(
            settings
                .change(0, "cli", &wish("Plain", setting, value))
                .unwrap()
                .is_some()
        );
    }
    let told = settings.for_source("Plain").unwrap();
    assert_eq!(
        (told.batch_size, told.window, told.concurrency),
        (500, Duration::from_secs(2), 3)
    );
    assert!(
        settings
            .change(0, "cli", &wish("Plain", "batching-window", "0"))
            .is_err()
    );
}
