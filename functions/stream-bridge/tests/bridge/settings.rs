//! Settings: all problems named at once.

use shared::config::Reader;
use stream_bridge::{Mode, Settings};

const ENOUGH: [(&str, &str); 3] = [
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
fn everything_that_is_wrong_is_named_at_once() {
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
    let problems = read(&vars).expect_err("nothing is right");
    for (name, _) in vars {
        assert!(problems.contains(name), "{name} is not named:\n{problems}");
    }
}

#[test]
fn what_has_a_usual_value_need_not_be_said() {
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
fn it_is_a_lambda_function_where_there_is_a_lambda_unless_told_otherwise() {
    let mode = |more: &[(&str, &str)]| read(more).expect("valid").mode;
    let lambda = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
    assert_eq!(mode(&[]), Mode::AlwaysOn);
    assert_eq!(mode(&[lambda]), Mode::Lambda);
    assert_eq!(mode(&[lambda, ("MODE", "always-on")]), Mode::AlwaysOn);
    assert_eq!(mode(&[("MODE", "lambda")]), Mode::Lambda);
}

#[test]
fn a_margin_too_short_to_finish_what_was_begun_is_refused() {
    let problems =
        read(&[("SQS_TIMEOUT_MS", "5000"), ("STOP_MARGIN_MS", "6999")]).expect_err("too short");
    assert!(
        problems.contains("STOP_MARGIN_MS") && problems.contains("7000"),
        "{problems}"
    );
    assert!(read(&[("SQS_TIMEOUT_MS", "5000"), ("STOP_MARGIN_MS", "7000")]).is_ok());
}

#[test]
fn a_fifo_queue_needs_the_field_of_its_groups_and_no_other_queue_has_one() {
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
