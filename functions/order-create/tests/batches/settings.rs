//! Settings report all problems together.

use order_create::Settings;
use shared::config::Reader;

#[test]
fn all_problems_are_reported_together() {
    let reader = Reader::new([
        ("MIN_PAY_WINDOW_SECONDS", "120"),
        ("PAY_WINDOW_SECONDS", "60"),
        ("DB_CONNECTIONS", "many"),
    ]);
    let problems = Settings::read(&reader).expect_err("refused").to_string();
    for variable in [
        "ENV_PREFIX",
        "REDIS_GATE_URL",
        "DATABASE_URL",
        "DB_CONNECTIONS",
        "MIN_PAY_WINDOW_SECONDS",
    ] {
        assert!(
            problems.contains(variable),
            "{variable} is not reported:\n{problems}"
        );
    }
}
