use serde_json::json;

use super::*;
use std::collections::BTreeSet;

use crate::sources::tunable;
use sam_template::model::{Code, Function, Location, ManagedInstances, SqsMapping};

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
        managed: None,
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

fn settings() -> TunableSettings {
    let app = app();
    TunableSettings::new(tunable(&app), &app, 16, "info", false)
}

fn change(target: &str, setting: &str, value: &str) -> SettingChange {
    SettingChange {
        target: target.into(),
        setting: setting.into(),
        value: value.into(),
    }
}

#[test]
fn an_applied_change_is_kept_with_its_author() {
    let mut settings = settings();
    let applied = settings
        .apply(7, "cli", &change("F", "concurrency", "2"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (applied.old, applied.new),
        (SettingValue::Number(16), SettingValue::Number(2))
    );
    assert_eq!(settings.for_source("Plain").unwrap().concurrency, 2);
    let again = settings.apply(8, "cli", &change("F", "concurrency", "2"));
    assert_eq!(again.unwrap(), None);
    settings
        .apply(9, "page", &change("Plain", "paused", "true"))
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
fn a_mapping_has_the_places_of_all_processes_of_its_function() {
    let mut app = app();
    app.sqs[0].max_concurrency = None;
    app.functions.get_mut("F").unwrap().managed = Some(ManagedInstances {
        max_concurrency: 8,
        max_instances: Some(2),
    });
    let mut settings = TunableSettings::new(tunable(&app), &app, 16, "info", false);
    let places = |settings: &TunableSettings| settings.for_source("Plain").unwrap().concurrency;
    assert_eq!(places(&settings), 16);
    settings
        .apply(7, "cli", &change("F", "concurrency", "3"))
        .unwrap();
    assert_eq!(places(&settings), 24);
    assert_eq!(settings.max_invocations("F"), 24);
}

#[test]
fn a_refused_change_says_why_and_has_no_effect() {
    let mut settings = settings();
    let before = settings.views();
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
        ("Plain", "batching-window", "300001ms", "from 0 to 300"),
        ("Plain", "batching-window", "20m", "such as 20ms"),
        ("Plain", "paused", "maybe", "true or false"),
        (HOST, "log", " ", "must name a level"),
    ];
    for (target, setting, value, words) in table {
        let why = settings
            .apply(0, "cli", &change(target, setting, value))
            .unwrap_err()
            .to_string();
        assert!(why.contains(words), "{why}");
    }
    assert_eq!((settings.views(), settings.changes()), (before, vec![]));
}

#[test]
fn a_window_may_be_shorter_than_a_second() {
    let mut settings = settings();
    for (value, window_ms, shown) in [
        ("20ms", 20, json!("20ms")),
        ("1500ms", 1_500, json!("1500ms")),
        ("2000ms", 2_000, json!(2)),
        ("3s", 3_000, json!(3)),
        ("0", 0, json!(0)),
    ] {
        settings
            .apply(0, "cli", &change("Plain", "batching-window", value))
            .unwrap();
        let source = settings.for_source("Plain").unwrap();
        assert_eq!(source.window, Duration::from_millis(window_ms), "{value}");
        let views = serde_json::to_value(settings.views()).unwrap();
        let views = views.as_array().unwrap();
        let view = views.iter().find(|view| {
            (&view["target"], &view["setting"]) == (&json!("Plain"), &json!("batching-window"))
        });
        assert_eq!(view.unwrap()["value"], shown, "{value}");
    }
}

#[test]
fn a_large_queue_batch_requires_its_window() {
    let mut settings = settings();
    for (setting, value) in [("batching-window", "2s"), ("batch-size", "500")] {
        assert!(
            settings
                .apply(0, "cli", &change("Plain", setting, value))
                .unwrap()
                .is_some()
        );
    }
    let source = settings.for_source("Plain").unwrap();
    assert_eq!(
        (source.batch_size, source.window, source.concurrency),
        (500, Duration::from_secs(2), 3)
    );
    assert!(
        settings
            .apply(0, "cli", &change("Plain", "batching-window", "0"))
            .is_err()
    );
}
