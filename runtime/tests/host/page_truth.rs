//! The live page shows what the status reports: the same counts, problems in red, and old values dimmed
//! once the host has stopped.

use serde_json::json;
use testkit::eventually;
use testkit::net::free_address;

use crate::browser::Browser;
use crate::kafka_fixture::{KafkaFixture, values};
use crate::operations_fixture::Application;
use crate::support::{project, usher_up};

/// The failures that the page counts are those of the status, `AT_LEAST` or more in two rows, and
/// the rows of invocations are as many as there were.
const COUNTS: &str = "(async () => {
    const status = await (await fetch('/_usher/status')).json();
    const errors = status.functions.reduce((sum, f) => sum + f.errors, 0);
    const rows = [...document.querySelectorAll('#failures li')];
    const times = rows.map((r) => r.querySelector('.pill').textContent).map((t) => (t === 'once' ? 1 : Number(t.replace(/ times|,/g, ''))));
    return document.getElementById('failed').textContent === String(errors) && errors >= AT_LEAST
        && times.reduce((sum, n) => sum + n, 0) === errors && rows.length === 2
        && document.querySelectorAll('#invocations li').length === Math.min(50, status.functions.reduce((sum, f) => sum + f.invocations, 0));
})()";

/// Does something with a browser, on a thread that may block, and panics as it does.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

/// Looks at the page of an application of its own.
async fn look_at_a_page(look: impl FnOnce(&mut Browser) + Send + 'static) {
    let mut application = Application::new();
    application.up().await;
    let page = application.url("/_usher/");
    blocking(move || {
        let mut browser = Browser::open();
        browser.visit(&page);
        look(&mut browser);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_counts_failures_like_the_status() {
    let mut application = Application::new();
    application.up().await;
    // beside the schedule that fails: events whose retries share their request id
    for n in 0..3 {
        let accepted = application.invoke_with(
            &json!({ "do": "fail", "message": format!("order {n} is missing") }),
            &["--async"],
        );
        assert!(accepted.status.success(), "{accepted:?}");
    }
    let page = application.url("/_usher/");
    let mut browser = blocking(move || {
        let mut browser = Browser::open();
        browser.visit(&page);
        browser.look(1280, 900, "light");
        browser.wait_for(&COUNTS.replace("AT_LEAST", "9"));
        let elements = browser.value("document.querySelectorAll('#failures *').length");
        // to be looked at for longer: there are about 3 failures a second
        let most = std::env::var("USHER_PAGE_FAILURES")
            .ok()
            .and_then(|most| most.parse().ok())
            .unwrap_or(15);
        for at_least in (15..=most).step_by(50) {
            browser.wait_for(&COUNTS.replace("AT_LEAST", &at_least.to_string()));
        }
        assert_eq!(
            browser.value("document.querySelectorAll('#failures *').length"),
            elements,
            "the list does not grow"
        );
        browser.picture_to("page-failures.png");
        browser
    })
    .await;
    eventually("an event is lost", async || {
        application.get("/_usher/status").await["events"][0]["lost"]
            .as_u64()
            .filter(|lost| *lost > 0)
    })
    .await;
    application.kill();
    blocking(move || {
        browser.wait_for("document.body.classList.contains('away')");
        let text = browser.value("document.getElementById('away').innerText").as_str().unwrap().to_owned();
        assert!(text.contains("does not answer since") && text.contains(" ago)"), "{text}");
        let dimmed =
            "Number(getComputedStyle(document.querySelector('main')).opacity) < 0.6 && document.querySelector('main').inert";
        assert_eq!(browser.value(dimmed), true);
        browser.picture_to("page-away.png");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_event_is_red() {
    look_at_a_page(|browser| {
        browser.wait_for(
            "[...document.querySelectorAll('#sources dl div')].some((d) => d.innerText.startsWith('Lost') && d.querySelector('dd.bad'))",
        );
        let red = "document.getElementById('health').className === 'pill bad' && !document.getElementById('attention').hidden \
                   && [...document.querySelectorAll('#attention .why')].some((w) => w.innerText.includes('given up'))";
        browser.wait_for(red);
        browser.look(1280, 900, "light");
        browser.picture_to("page-lost.png");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_has_a_card_with_its_next_firing() {
    look_at_a_page(|browser| {
        browser.wait_for(
            "(async () => {
                const [schedule] = (await (await fetch('/_usher/status')).json()).schedules;
                const cards = [...document.querySelectorAll('#sources .card')];
                const card = cards.find((c) => c.querySelector('.title').textContent === schedule.schedule);
                if (!card) return false;
                return card.querySelector('.under').textContent.endsWith(`→ ${schedule.function}`)
                    && schedule.next_ms > Date.now() - 60000 && /Next in\\s*\\d/.test(card.innerText);
            })()",
        );
        browser.look(1280, 900, "light");
        browser.picture_to("page-schedule.png");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_value_leaves_its_field() {
    look_at_a_page(|browser| {
        browser.wait_for("document.body?.dataset.ready === 'true'");
        for (name, refused) in [("Echo concurrency", "5000"), ("host log", "no-such=level=x"), ("Echo.Jobs batch-size", "-1")] {
            let input = format!("document.querySelector('[aria-label=\"{name}\"]')");
            let before = browser.value(&format!("{input}.value"));
            browser.value(&format!("{input}.focus(); {input}.value = '{refused}'; {input}.form.requestSubmit()"));
            browser.wait_for(&format!("{input}.getAttribute('aria-invalid') === 'true'"));
            assert_eq!(browser.value(&format!("{input}.value")), before, "{name}");
            let why = browser.value(&format!("{input}.form.nextElementSibling.innerText"));
            assert!(why.as_str().unwrap().starts_with(&format!("{refused}: ")), "{name}: {why}");
        }
        for width in [1280, 400] {
            browser.look(width, 900, "light");
            let overflow = "[...document.querySelectorAll('.card, .group, .rows > li')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.innerText)";
            assert_eq!(browser.value(overflow), json!([]), "at {width} pixels");
            browser.picture_to(&format!("page-refused-{width}.png"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_a_source_is_its_colour() {
    look_at_a_page(|browser| {
        browser.wait_for("document.body?.dataset.ready === 'true'");
        for (state, colour, lag) in [
            ("ok", "good", json!(0)),
            ("behind", "warn", json!(5845)),
            ("paused", "warn", json!(3)),
            ("stuck", "bad", json!(5845)),
            ("failing", "bad", json!(null)),
            ("away", "bad", json!(null)),
            ("missing", "bad", json!(null)),
            ("a state of a later version", "bad", json!(1)),
        ] {
            let error = json!({ "at_ms": 1, "error": "<b>boom</b>\u{202e}" });
            let health = json!({ "state": state, "since_ms": 1, "reason": "look here", "last_error": error, "oldest_waiting_ms": 61_000, "last_progress_ms": null });
            let partition = json!({ "topic": "t", "partition": 0, "lag": lag, "health": health });
            let mapping = json!({ "mapping": "M", "group": "g", "function": "F", "partitions": [partition], "health": health, "records_lost": 0,
                "records_done": 0, "batches": 0, "failed_batches": 0, "records_discarded": 0 });
            let status = json!({ "mappings": [mapping], "queues": [], "events": [], "schedules": [] });
            let draw = format!(
                "import('/_usher/sources.js').then((m) => {{
                    const section = document.getElementById('sources').cloneNode(true);
                    section.querySelector('.cards').replaceChildren();
                    m.sources(section, {status}, new Set(), Date.now());
                    return [section.querySelector('.pill').className, section.querySelector('dd').textContent, section.querySelector('dd').className,
                        section.querySelector('.problem').textContent, section.querySelector('.partitions li').textContent];
                }})"
            );
            let drawn = browser.value(&draw);
            let text = |at: usize| drawn[at].as_str().unwrap().to_owned();
            assert_eq!(text(0), format!("pill {colour}"), "{state}");
            let shown = lag.as_u64().map_or("unknown".to_owned(), |lag| if lag == 5845 { "5,845".into() } else { lag.to_string() });
            assert_eq!((text(1), text(2) == "bad"), (shown, colour == "bad"), "{state}");
            assert!(text(4).contains("oldest 61.0 s"), "{drawn}");
            let none = browser.value(&draw.replace(&format!("\"partitions\":[{partition}]"), "\"partitions\":[]").replace(
                "section.querySelector('.partitions li').textContent",
                "''",
            ));
            assert_eq!(none[1], "–", "a mapping without partitions has no lag: {none}");
            if state != "ok" {
                assert!(text(3).contains("look here") && text(3).contains("<b>boom</b>\\u202e"), "{drawn}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_of_any_kind_has_a_card_of_its_fields() {
    look_at_a_page(|browser| {
        browser.wait_for("document.body?.dataset.ready === 'true'");
        let health = json!({ "state": "ok", "since_ms": 1, "reason": null, "last_error": null, "oldest_waiting_ms": null, "last_progress_ms": null });
        let stream = json!({ "mapping": "cache", "function": "F", "stream": "shows", "lag": null, "received": 1200, "taken_over": 3, "problem": null, "health": health });
        let status = json!({ "mappings": [], "queues": [], "events": [], "schedules": [], "functions": [{ "function": "F" }], "streams": [stream] });
        let drawn = browser.value(&format!(
            "import('/_usher/sources.js').then((m) => {{
                const section = document.getElementById('sources').cloneNode(true);
                section.querySelector('.cards').replaceChildren();
                m.sources(section, {status}, new Set(['cache']), Date.now());
                return [...section.querySelectorAll('.card')].map((card) =>
                    [...card.querySelectorAll('.title, .pill, .under, dl div')].map((part) => part.textContent));
            }})"
        ));
        let card = ["cache", "paused", "stream shows → F", "Lag–", "Received1,200", "Taken over3"];
        assert_eq!(drawn, json!([card]));
    })
    .await;
}

/// The card of the mapping and the header are red, and the lag is that of the status: the poison
/// record and the 20 behind it.
const POISONED: &str = "(async () => {
    const [mapping] = (await (await fetch('/_usher/status')).json()).mappings;
    const card = document.querySelector('#sources .card');
    const lag = [...card.querySelectorAll('dl div')].find((d) => d.querySelector('dt').textContent === 'Lag').querySelector('dd');
    return mapping.partitions[0].lag === 21 && lag.textContent === '21' && lag.className === 'bad'
        && card.querySelector('.pill').className === 'pill bad' && card.querySelector('.pill').textContent === mapping.health.state
        && card.querySelector('.problem').textContent.includes(mapping.health.last_error.error)
        && card.querySelector('.partitions li.bad') !== null && document.getElementById('health').className === 'pill bad'
        && !document.getElementById('attention').hidden;
})()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poison_record_in_front_is_red() {
    let fixture = KafkaFixture::new(1).await;
    fixture
        .produce(0, &[vec!["always-fail".to_owned()], values(0..20)].concat())
        .await;
    let template = format!(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: AWS::Serverless::Function\n    Properties:\n      \
         Runtime: provided.al2023\n      CodeUri: built\n      Environment: {{Variables: {{RECORD_TO: '{}'}}}}\n      \
         Events:\n        Records:\n          Type: SelfManagedKafka\n          Properties:\n            Topics: [{}]\n            \
         KafkaBootstrapServers: ['{}']\n            ConsumerGroupId: {}\n            StartingPosition: TRIM_HORIZON\n            BatchSize: 1\n",
        fixture.folder.path().join("seen").display(),
        fixture.mapping.topics[0],
        fixture.mapping.bootstrap_servers,
        fixture.mapping.group,
    );
    let folder = project(&template);
    let control = free_address();
    let host = usher_up(
        folder.path(),
        &["--listen", "127.0.0.1:0", "--control", &control.to_string()],
    );
    let page = format!("http://{control}/_usher/");
    eventually("the page is served", async || {
        reqwest::get(&page).await.ok().map(drop)
    })
    .await;
    blocking(move || {
        let mut browser = Browser::open();
        browser.look(1280, 900, "light");
        browser.visit(&page);
        browser
            .wait_for("document.querySelector('#sources .card .pill')?.className === 'pill bad'");
        browser.wait_for(POISONED);
        browser.picture_to("page-poison.png");
    })
    .await;
    drop(host);
}
