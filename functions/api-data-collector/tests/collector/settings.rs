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
        ("API_FILES_ENDPOINT", "ftp://calls"),
        ("API_FILES_KEEP_DAYS", "0"),
        ("API_FILES_GRACE_SECONDS", "60"),
        ("API_FILES_TARGET_MB", "1000"),
        ("API_FILES_MERGE", "1"),
    ];
    // Which needs a region and keys.
    let bucket = ("API_FILES_BUCKET", "calls");
    let problems = Settings::read(&Reader::new(vars.into_iter().chain([bucket])))
        .expect_err("nothing is right")
        .to_string();
    for name in vars.iter().map(|(name, _)| *name).chain([
        "DATABASE_URL",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
    ]) {
        assert!(
            problems.contains(name),
            "{name} is not reported:\n{problems}"
        );
    }
}

#[test]
fn files_have_one_place() {
    let vars = [
        ("ENV_PREFIX", "demo"),
        ("DATABASE_URL", "postgres://u:p@127.0.0.1/usher"),
        ("API_FILES_FOLDER", "/calls"),
    ];
    let settings = Settings::read(&Reader::new(vars)).expect("a folder");
    assert!(settings.files.is_some());
    let settings = Settings::read(&Reader::new(vars[..2].iter().copied())).expect("no place");
    assert!(settings.files.is_none());
    let both = vars.into_iter().chain([
        ("API_FILES_BUCKET", "calls"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    let problems = Settings::read(&Reader::new(both)).expect_err("two places");
    assert!(
        problems.to_string().contains("API_FILES_BUCKET"),
        "{problems}"
    );
}
