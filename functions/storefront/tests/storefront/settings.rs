//! Settings: all problems named at once.

use std::collections::BTreeMap;

use shared::config::{KeysSetting, Reader};
use storefront::Settings;

/// The settings without a default.
const REQUIRED: [(&str, &str); 6] = [
    ("ENV_PREFIX", "demo"),
    ("REDIS_GATE_URL", "redis://127.0.0.1:1"),
    ("REDIS_CACHE_URL", "redis://127.0.0.1:1"),
    ("DATABASE_URL", "postgres://127.0.0.1/usher"),
    ("KAFKA_BROKERS", "127.0.0.1:1"),
    ("PAYMENT_WEBHOOK_SECRET", "sixteen bytes or more"),
];

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let vars = [
        ("ENV_PREFIX", "Demo!"),
        ("REQUEST_CLASS", "buyers"),
        ("REDIS_GATE_URL", "http://127.0.0.1"),
        ("REDIS_CACHE_URL", "http://127.0.0.1"),
        ("PROGRAM_CACHE_READER", "sometimes"),
        ("PROGRAM_STREAM_MOST", "1"),
        ("DB_CONNECTIONS", "0"),
        ("KAFKA_BROKERS", "127.0.0.1:port"),
        ("KAFKA_SECURITY", "none"),
        ("PAYMENT_WEBHOOK_SECRET", "short"),
        ("PUBLISH_WINDOW_MS", "5000"),
        ("DELIVERY_TIMEOUT_MS", "9000"),
        ("ORDER_LINGER_MS", "101"),
        ("USER_LIMIT_DEFAULT", "many"),
        ("API_CALLS_ENABLED", "perhaps"),
        ("API_CALL_QUEUE", "0"),
        ("API_CALL_FLUSH_MS", "a while"),
    ];
    let problems = Settings::read(&Reader::new(vars))
        .expect_err("nothing is right")
        .to_string();
    for name in vars.iter().map(|(name, _)| *name).chain(["DATABASE_URL"]) {
        assert!(problems.contains(name), "{name} is not named:\n{problems}");
    }
}

#[test]
fn only_a_process_of_many_requests_gathers_orders() {
    let linger = |concurrency, linger| {
        let vars = [
            ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
            ("ORDER_LINGER_MS", linger),
        ];
        let vars = REQUIRED.into_iter().chain(vars);
        let settings = Settings::read(&Reader::new(vars)).expect("valid");
        settings.linger.as_millis()
    };
    assert_eq!(linger("2", ""), 5);
    assert_eq!(linger("64", "3"), 3);
    assert_eq!(linger("64", "0"), 0);
    assert_eq!(linger("1", "3"), 0);
}

#[test]
fn a_process_of_many_requests_waits_for_no_delivery() {
    let read = |class, concurrency| {
        let vars = [
            ("ENV_PREFIX", "demo"),
            ("REQUEST_CLASS", class),
            ("REDIS_GATE_URL", "redis://127.0.0.1:1"),
            ("REDIS_CACHE_URL", "redis://127.0.0.1:1"),
            ("DATABASE_URL", "postgres://127.0.0.1/usher"),
            ("KAFKA_BROKERS", "127.0.0.1:1"),
            ("PAYMENT_WEBHOOK_SECRET", "sixteen bytes or more"),
            ("API_CALL_FLUSH_MS", "100"),
            ("DB_CONNECTIONS", "2"),
            ("AWS_LAMBDA_MAX_CONCURRENCY", concurrency),
        ];
        let settings = Settings::read(&Reader::new(vars)).expect("valid");
        (settings.calls.flush.as_millis(), settings.connections)
    };
    assert_eq!(read("all", "1"), (100, 2), "the process may be frozen");
    assert_eq!(read("orders", "64"), (0, 18));
    assert_eq!(read("operators", "8"), (0, 9), "each may run a slow query");
}

/// Without a reader of changes a long cache would serve stale programs.
#[test]
fn a_process_that_hears_of_no_change_may_not_remember_for_long() {
    let vars = |reader: &'static str| {
        REQUIRED.into_iter().chain([
            ("PROGRAM_CACHE_READER", reader),
            ("PROGRAM_CACHE_TTL_MS", "2001"),
        ])
    };
    let problems = Settings::read(&Reader::new(vars("false")))
        .expect_err("too long")
        .to_string();
    assert!(
        problems.contains("PROGRAM_CACHE_TTL_MS") && problems.contains("2000"),
        "{problems}"
    );
    assert!(Settings::read(&Reader::new(vars("true"))).is_ok());
}

#[test]
fn only_a_function_that_serves_payments_has_their_keys() {
    let keys = |class: &'static str, secret: &'static str| {
        let vars = [
            ("ENV_PREFIX", "demo"),
            ("REQUEST_CLASS", class),
            ("REDIS_GATE_URL", "redis://127.0.0.1:1"),
            ("REDIS_CACHE_URL", "redis://127.0.0.1:1"),
            ("DATABASE_URL", "postgres://127.0.0.1/usher"),
            ("KAFKA_BROKERS", "127.0.0.1:1"),
            ("PAYMENT_WEBHOOK_SECRET", secret),
        ];
        let settings = Settings::read(&Reader::new(vars));
        settings.map(|settings| match settings.access.keys() {
            Some(KeysSetting::Fixed(keys)) => keys.len(),
            Some(KeysSetting::Secret { .. }) => unreachable!("no secret is named"),
            None => 0,
        })
    };
    for (class, with_key) in [("", 1), ("all", 1), ("payments", 1), ("lookups", 0)] {
        let found = keys(class, "sixteen bytes or more");
        assert_eq!(found.expect("valid"), with_key, "{class}");
        let missing = keys(class, "").map_err(|problems| problems.to_string());
        match missing {
            Ok(keys) => assert_eq!((keys, with_key), (0, 0), "{class}"),
            Err(problems) => assert!(
                with_key == 1 && problems.contains("PAYMENT_WEBHOOK_SECRET"),
                "{class}: {problems}"
            ),
        }
    }
}

/// The parameters of usher.toml, and its functions with many requests in a process.
fn settings_of_this_machine() -> (BTreeMap<String, u32>, BTreeMap<String, [u32; 2]>) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../usher.toml");
    let text = std::fs::read_to_string(file).expect("usher.toml");
    let (mut parameters, mut functions) = (BTreeMap::new(), BTreeMap::new());
    let mut table = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[') {
            table = name.trim_end_matches(']');
        }
        let number = line.split_once(" = ");
        let Some((name, Ok(number))) = number.map(|(name, value)| (name, value.parse())) else {
            continue;
        };
        match (table.strip_prefix("functions."), name) {
            (None, _) if table == "parameters" => {
                parameters.insert(name.to_owned(), number);
            }
            (Some(function), "max-concurrency") => {
                functions.entry(function.to_owned()).or_insert([1, 1])[0] = number;
            }
            (Some(function), "instances") => {
                functions.entry(function.to_owned()).or_insert([1, 1])[1] = number;
            }
            _ => {}
        }
    }
    (parameters, functions)
}

/// The share of requests that may wait is computed from the parameter.
#[test]
fn a_share_on_this_machine_is_processes_times_requests() {
    let (parameters, functions) = settings_of_this_machine();
    assert!(functions.contains_key("Storefront"), "{functions:?}");
    for (function, [requests, processes]) in functions {
        let share = parameters.get(&format!("{function}Concurrency"));
        assert_eq!(share, Some(&(requests * processes)), "{function}");
    }
}
