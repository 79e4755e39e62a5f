//! Settings: all problems at once.

use shared::config::Reader;
use timeout_closer::Settings;

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let vars = [
        ("ENV_PREFIX", "Demo!"),
        ("REDIS_GATE_URL", "http://127.0.0.1"),
        ("REDIS_CACHE_URL", "http://127.0.0.1"),
        ("DB_CONNECTIONS", "0"),
        ("FUNCTION_TIMEOUT_SECONDS", "0"),
        ("CLAIM_LIMIT", "many"),
        ("LEASE_MS", "1"),
        ("SWEEP_EVERY_SECONDS", "-1"),
        ("SWEEP_LIMIT", "0"),
        ("PUBLISH_LIMIT", "0"),
    ];
    let problems = Settings::read(&Reader::new(vars))
        .expect_err("every setting is wrong")
        .to_string();
    let wrong = vars.iter().map(|(name, _)| *name).chain(["DATABASE_URL"]);
    for name in wrong {
        assert!(problems.contains(name), "{name} is not named:\n{problems}");
    }
}

#[test]
fn settings_with_defaults_may_be_missing() {
    let vars = [
        ("ENV_PREFIX", "demo"),
        ("REDIS_GATE_URL", "redis://127.0.0.1:16379"),
        ("REDIS_CACHE_URL", "redis://127.0.0.1:16380"),
        (
            "DATABASE_URL",
            "postgres://usher:usher@127.0.0.1:15432/usher",
        ),
    ];
    let settings = Settings::read(&Reader::new(vars)).expect("enough");
    assert_eq!(settings.topic, "demo-order-create");
    assert_eq!(
        (
            settings.claim_limit,
            settings.sweep_limit,
            settings.connections
        ),
        (256, 500, 2)
    );
    assert_eq!(
        (
            settings.lease.as_secs(),
            settings.sweep_every.as_secs(),
            settings.timeout.as_secs()
        ),
        (30, 60, 55)
    );
    assert!(
        !format!("{settings:?}").contains("usher:usher"),
        "no password in logs"
    );
}
