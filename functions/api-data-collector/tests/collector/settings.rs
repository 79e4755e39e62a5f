//! Settings report all problems together.

use api_data_collector::Settings;
use shared::config::Reader;

#[test]
fn all_problems_are_reported_together() {
    let vars = [
        ("ENV_PREFIX", "Demo!"),
        ("DB_CONNECTIONS", "0"),
        ("API_ROUTES_PER_MINUTE", "many"),
        ("API_CLIENTS_PER_MINUTE", "0"),
        ("API_CALL_KEEP_DAYS", "-1"),
        ("API_STATISTICS_KEEP_DAYS", "for ever"),
        ("API_RETENTION_EVERY_SECONDS", "0"),
        ("API_RETENTION_LIMIT", "1000000"),
    ];
    let problems = Settings::read(&Reader::new(vars))
        .expect_err("nothing is right")
        .to_string();
    for name in vars.iter().map(|(name, _)| *name).chain(["DATABASE_URL"]) {
        assert!(
            problems.contains(name),
            "{name} is not reported:\n{problems}"
        );
    }
}
