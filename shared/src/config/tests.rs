//! Settings: all problems at once, readable, without secrets.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn empty() -> Reader {
    Reader::new::<&str, &str>([])
}

fn problems(reader: &Reader) -> String {
    reader.finish(|| ()).expect_err("problems").to_string()
}

#[test]
fn good_settings_are_read_with_their_defaults() {
    let reader = Reader::new([
        ("ENV_PREFIX", "demo"),
        ("REDIS_GATE_URL", "redis://127.0.0.1:16379"),
        ("KAFKA_BROKERS", "a:9092, b:9092"),
        ("PAY_WINDOW_SECONDS", " 20 "),
        ("LEASE_MS", ""),
        ("PAYMENT_WEBHOOK_SECRET", "0123456789abcdef"),
    ]);
    let names = reader.names();
    let url = reader.redis_url("REDIS_GATE_URL");
    let brokers = reader.brokers("KAFKA_BROKERS");
    let window = reader.seconds_or("PAY_WINDOW_SECONDS", 1..=86_400, 900);
    let lease = reader.milliseconds_or("LEASE_MS", 100..=60_000, 5_000);
    let topic = reader.text_or("ORDERS_TOPIC", "order-create");
    let secret = reader.secret("PAYMENT_WEBHOOK_SECRET", 16);
    reader.finish(|| ()).expect("no problem");
    assert_eq!(names.prefix(), "demo");
    assert_eq!(url.as_str(), "redis://127.0.0.1:16379");
    assert_eq!(brokers, "a:9092, b:9092");
    assert_eq!(
        (window, lease),
        (Duration::from_secs(20), Duration::from_secs(5))
    );
    assert_eq!(topic, "order-create");
    assert_eq!(secret.expose(), "0123456789abcdef");
}

#[test]
fn every_problem_is_reported_with_its_remedy() {
    let reader = Reader::new([
        ("ENV_PREFIX", "Demo"),
        ("CLAIM_LIMIT", "many"),
        ("LEASE_MS", "5"),
        ("KAFKA_BROKERS", "broker"),
    ]);
    let _ = reader.names();
    let _ = reader.integer_or("CLAIM_LIMIT", 1..=1_000_u32, 100);
    let _ = reader.milliseconds_or("LEASE_MS", 100..=60_000, 5_000);
    let _ = reader.postgres_url("DATABASE_URL");
    let _ = reader.brokers("KAFKA_BROKERS");
    reader.refuse(
        "PUBLISH_WINDOW_MS",
        "is longer than the pay window",
        "at most PAY_WINDOW_SECONDS",
    );
    assert_eq!(
        problems(&reader),
        "6 settings of the environment cannot be used:\n\
         \x20 ENV_PREFIX is \"Demo\"; it must be 1 to 31 of a-z, 0-9 and '-', starting with a \
         letter and not ending with '-'\n\
         \x20 CLAIM_LIMIT is \"many\"; it must be a whole number from 1 to 1000\n\
         \x20 LEASE_MS is \"5\"; it must be a whole number from 100 to 60000\n\
         \x20 DATABASE_URL is missing; it must be an address like postgres://host... or \
         postgresql://host...\n\
         \x20 KAFKA_BROKERS is \"broker\"; it must be host:port, several separated by commas\n\
         \x20 PUBLISH_WINDOW_MS is longer than the pay window; it must be at most \
         PAY_WINDOW_SECONDS"
    );
}

#[test]
fn an_error_returned_from_main_reads_the_same() {
    let reader = empty();
    let _ = reader.names();
    let error = reader.finish(|| ()).expect_err("a problem");
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(
        error
            .iter()
            .map(|p| p.variable.as_str())
            .collect::<Vec<_>>(),
        ["ENV_PREFIX"]
    );
}

#[test]
fn a_switch_is_true_or_false() {
    let reader = Reader::new([("A", "true"), ("B", "false"), ("C", "yes")]);
    assert_eq!(
        [reader.switch_or("A", false), reader.switch_or("B", true)],
        [true, false]
    );
    assert!(reader.switch_or("D", true) && reader.accepts(&["A", "B", "D"]));
    let _ = reader.switch_or("C", true);
    assert!(!reader.accepts(&["A", "C"]));
    assert!(problems(&reader).contains("C is \"yes\"; it must be true or false"));
}

#[test]
fn a_blank_value_is_missing() {
    let reader = Reader::new([("ENV_PREFIX", "  ")]);
    let _ = reader.names();
    assert!(problems(&reader).contains("ENV_PREFIX is missing"));
}

#[cfg(unix)]
#[test]
fn a_value_outside_utf8_is_a_problem() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    let value = OsString::from_vec(vec![b'1', 0xe4]);
    let names = ["A", "B", "C", "D", "E"];
    let reader = Reader::new(names.map(|name| (OsString::from(name), value.clone())));
    let _ = reader.text_or("A", "default");
    let _ = reader.integer_or("B", 1..=9_u32, 1);
    let _ = reader.switch_or("C", false);
    let _ = reader.text("D", "some text");
    let _ = reader.secrets("E", &["A"], 1);
    let text = problems(&reader);
    assert_eq!(text.lines().count(), 1 + names.len(), "{text}");
    assert!(
        names
            .iter()
            .all(|name| text.contains(&format!("{name} is not UTF-8"))),
        "{text}"
    );
}

#[test]
fn the_next_secret_is_optional_but_not_short() {
    let secrets = |next: &str| {
        let reader = Reader::new([("NOW", "0123456789abcdef"), ("NEXT", next)]);
        let secrets = reader.secrets("NOW", &["NEXT"], 16);
        reader
            .finish(|| secrets.len())
            .map_err(|problems| problems.to_string())
    };
    assert_eq!(secrets(""), Ok(1));
    assert_eq!(secrets("0123456789abcdeF"), Ok(2));
    assert!(
        secrets("hunter2")
            .is_err_and(|text| text.contains("NEXT is too short") && !text.contains("hunter2"))
    );
}

#[test]
fn wrong_addresses_are_refused_without_being_printed() {
    for bad in [
        "postgres:/usher:hunter2@host/db",
        "mysql://u:hunter2@host/db",
        "postgres://",
        "postgres://u:hunter2@/db",
        "postgres://u:hunter2@:5432/db",
    ] {
        let reader = Reader::new([("DATABASE_URL", bad)]);
        let _ = reader.url("DATABASE_URL", &["postgres"]);
        let text = problems(&reader);
        assert!(
            text.contains("DATABASE_URL") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[test]
fn an_address_prints_no_credentials() {
    let shown = |text: &str| {
        Url::new(text, &["postgres"])
            .expect("an address")
            .to_string()
    };
    assert_eq!(
        shown("postgres://usher:hunter2@127.0.0.1:15432/usher?sslkey=x"),
        "postgres://127.0.0.1:15432/usher"
    );
    assert_eq!(shown("postgres://host"), "postgres://host");
    assert_eq!(
        shown("postgres://usher:hun/ter2@host/usher"),
        "postgres://[not shown]"
    );
}

#[test]
fn a_short_secret_is_refused_without_being_printed() {
    let reader = Reader::new([("PAYMENT_WEBHOOK_SECRET", "hunter2")]);
    let _ = reader.secret("PAYMENT_WEBHOOK_SECRET", 16);
    let text = problems(&reader);
    assert!(
        text.contains("too short") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_broker_without_a_port_is_refused() {
    for bad in ["a", "a:", ":9092", "a:0", "a:65536", "a:9092,", "a:9092,b"] {
        let reader = Reader::new([("KAFKA_BROKERS", bad)]);
        let _ = reader.brokers("KAFKA_BROKERS");
        assert!(problems(&reader).contains("KAFKA_BROKERS"), "{bad}");
    }
}

proptest! {
    #[test]
    fn secrets_and_passwords_are_never_printed(password in "[A-Z0-9@:/?#]{8,20}",
        host in "[a-z]{1,9}") {
        let secret = format!("{:?}", Secret::new(password.as_str()));
        prop_assert!(!secret.contains(&password));
        let parts = password.split(['@', ':', '/', '?', '#']).filter(|part| part.len() > 1);
        for text in [format!("redis://user:{password}@{host}:1/0"),
            format!("redis://{host}?token={password}")] {
            if let Some(url) = Url::new(text, &["redis"]) {
                let shown = format!("{url} {url:?}");
                prop_assert!(parts.clone().all(|part| !shown.contains(part)), "{shown}");
            }
        }
    }

    #[test]
    fn only_a_number_in_bounds_is_read(n: i64) {
        let reader = Reader::new([("N", n.to_string())]);
        let bounds = -500..=1_i64 << 40;
        let read = if bounds.contains(&n) { n } else { 7 };
        prop_assert_eq!(reader.integer_or("N", bounds.clone(), 7), read);
        prop_assert_eq!(reader.finish(|| ()).is_ok(), bounds.contains(&n));
    }
}

#[test]
fn an_address_of_redis_may_require_tls() {
    for url in [
        "redis://cache:6379",
        "rediss://cache:6380",
        "rediss://a:6379,b:6379?cluster=true",
    ] {
        let reader = Reader::new([("REDIS_CACHE_URL", url)]);
        assert_eq!(reader.redis_url("REDIS_CACHE_URL").as_str(), url);
        assert!(reader.finish(|| ()).is_ok(), "{url}");
    }
}

#[test]
fn parameters_of_postgres_without_effect_are_refused() {
    let read = |url: &str| {
        let reader = Reader::new([("DATABASE_URL", url)]);
        let url = reader.postgres_url("DATABASE_URL");
        reader
            .finish(|| url.as_str().to_owned())
            .map_err(|problems| problems.to_string())
    };
    for good in [
        "postgres://u:hush@db/x",
        "postgresql://u:hush@db/x?sslmode=disable",
        "postgres://u:hush@db/x?sslmode=verify-full",
    ] {
        assert_eq!(read(good), Ok(good.to_owned()));
    }
    for (parameter, wrong) in [
        ("sslmode=prefer", "DATABASE_URL has an sslmode other than"),
        ("channel_binding=require", "DATABASE_URL requires channel"),
        ("sslrootcert=/x.pem", "the parameter sslrootcert"),
    ] {
        let refused = read(&format!("postgres://u:hush@db/x?{parameter}"));
        let refused = refused.expect_err(parameter);
        assert!(refused.contains(wrong), "{refused}");
        assert!(refused.contains("TLS_CA_FILE"), "{refused}");
        assert!(!refused.contains("hush"), "{refused}");
    }
}

#[test]
fn what_is_read_is_listed_with_its_bounds() {
    let reader = Reader::new([("LEASE_MS", "5000"), ("NOT_READ", "x")]);
    let _ = reader.milliseconds_or("LEASE_MS", 100..=60_000, 2_000);
    let _ = reader.switch_or("ENABLED", true);
    let _ = reader.secrets("KEY", &["NEXT_KEY"], 16);
    let mut inventory = reader.inventory();
    let other = empty();
    let _ = other.text_or("STREAM", "changes");
    // A second reader of the same variable that knows no bounds.
    let _ = other.optional_text("LEASE_MS");
    inventory.extend(other.inventory());
    assert_eq!(
        serde_json::to_value(&inventory).expect("JSON"),
        serde_json::json!({
            "ENABLED": {"default": "true"},
            "KEY": {"secret": true},
            "LEASE_MS": {"minimum": "100", "maximum": "60000", "default": "2000"},
            "NEXT_KEY": {"secret": true},
            "STREAM": {"default": "changes"},
        })
    );
    assert_eq!(inventory.get("NOT_READ"), None);
}

#[test]
fn an_address_has_a_host_and_may_have_a_port_and_a_password() {
    for (text, host, port, password) in [
        ("redis://a", "a", None, false),
        ("redis://user@a:6380/0", "a", Some(6380), false),
        ("redis://user:p%40@a?x=y:1@b", "a", None, true),
        ("redis://:secret@[::1]:6379", "::1", Some(6379), true),
        ("redis://[::1]", "::1", None, false),
    ] {
        let url = Url::new(text, &["redis"]).expect(text);
        assert_eq!(
            (url.host_and_port(), url.has_password()),
            ((host, port), password),
            "{text}"
        );
    }
}
