//! Settings.

use shared::config::Reader;
use stream_bridge::{Mode, Settings};

const ENOUGH: [(&str, &str); 6] = [
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "local"),
    ("AWS_SECRET_ACCESS_KEY", "hush"),
    ("ENV_PREFIX", "demo"),
    ("REDIS_CACHE_URL", "redis://:hush@127.0.0.1:16380"),
    (
        "QUEUE_URL",
        "http://127.0.0.1:19324/000000000000/demo-program-changed",
    ),
];

fn read(more: &[(&str, &str)]) -> Result<Settings, String> {
    Settings::read(&Reader::new(ENOUGH.iter().chain(more).copied()))
        .map_err(|problems| problems.to_string())
}

#[test]
fn all_problems_are_reported_together() {
    let vars = [
        ("MODE", "sometimes"),
        ("ENV_PREFIX", "Demo!"),
        ("REDIS_CACHE_URL", "http://127.0.0.1"),
        ("QUEUE_URL", "demo-program-changed"),
        ("STREAM_BATCH", "0"),
        ("STREAM_BLOCK_MS", "0"),
        ("TAKE_OVER_IDLE_MS", "1"),
        ("MAX_DELIVERIES", "0"),
        ("SQS_TIMEOUT_MS", "soon"),
        ("STOP_MARGIN_MS", "-1"),
        ("FUNCTION_TIMEOUT_SECONDS", "0"),
    ];
    let problems = read(&vars).expect_err("every setting is invalid");
    for (name, _) in vars {
        assert!(problems.contains(name), "{name} is not named:\n{problems}");
    }
}

#[test]
fn defaults_apply() {
    let settings = read(&[]).expect("enough");
    assert_eq!(
        (settings.stream.as_str(), settings.group.as_str()),
        ("program-changed", "stream-bridge")
    );
    assert_eq!(
        (
            settings.reading.batch,
            settings.reading.max_deliveries,
            settings.reading.ordered
        ),
        (100, 5, false)
    );
    assert!(
        !format!("{settings:?}").contains("hush"),
        "no password in logs"
    );
}

#[test]
fn the_mode_follows_the_runtime_api() {
    let mode = |more: &[(&str, &str)]| read(more).expect("valid").mode;
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    assert_eq!(mode(&[]), Mode::AlwaysOn);
    assert_eq!(mode(&[lambda]), Mode::Lambda);
    assert_eq!(mode(&[lambda, ("MODE", "always-on")]), Mode::AlwaysOn);
    assert_eq!(mode(&[("MODE", "lambda")]), Mode::Lambda);
}

#[test]
fn a_stop_margin_below_the_timeouts_is_refused() {
    let problems =
        read(&[("SQS_TIMEOUT_MS", "5000"), ("STOP_MARGIN_MS", "6999")]).expect_err("too short");
    assert!(
        problems.contains("STOP_MARGIN_MS") && problems.contains("7000"),
        "{problems}"
    );
    assert!(read(&[("SQS_TIMEOUT_MS", "5000"), ("STOP_MARGIN_MS", "7000")]).is_ok());
}

#[test]
fn only_a_fifo_queue_has_a_group_field() {
    let fifo = (
        "QUEUE_URL",
        "http://127.0.0.1:19324/000000000000/changes.fifo",
    );
    assert!(
        read(&[fifo])
            .expect_err("no field")
            .contains("FIFO_GROUP_FIELD is missing")
    );
    assert!(
        read(&[("FIFO_GROUP_FIELD", "id")])
            .expect_err("no FIFO queue")
            .contains("FIFO_GROUP_FIELD is given")
    );
    assert!(
        read(&[fifo, ("FIFO_GROUP_FIELD", "id")])
            .expect("valid")
            .reading
            .ordered
    );
}

#[test]
fn an_unreadable_group_field_is_one_problem() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let queue = "http://127.0.0.1:19324/000000000000/changes.fifo";
    let vars = ENOUGH.into_iter().chain([("QUEUE_URL", queue)]);
    let vars = vars.map(|(name, value)| (name, OsString::from(value)));
    let field = ("FIFO_GROUP_FIELD", OsString::from_vec(vec![0xe4]));
    let problems = Settings::read(&Reader::new(vars.chain([field]))).expect_err("not UTF-8");
    let wrong: Vec<_> = problems.iter().map(|p| p.wrong.as_str()).collect();
    assert_eq!(wrong, ["is not UTF-8"]);
}
