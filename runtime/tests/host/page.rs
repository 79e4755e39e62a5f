//! The live page in a real browser.

use crate::browser::Browser;
use crate::operations_fixture::{Application, HOSTILE};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_changes_settings_and_runs_no_output() {
    let mut application = Application::new();
    application.up().await;
    let page = application.url("/_usher/");
    let queue = application.queue.clone();
    tokio::task::spawn_blocking(move || look(&page, &queue))
        .await
        .unwrap();
    let settings = application.get("/_usher/settings").await;
    assert!(
        settings["changes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|change| change["who"] == "page"),
        "{settings}"
    );
}

fn look(page: &str, queue: &str) {
    let mut browser = Browser::open();
    browser.visit(page);
    browser.wait_for("document.body?.dataset.ready === 'true' && document.querySelectorAll('#failures li').length > 0");
    for part in [
        "Echo",
        "Echo.Jobs",
        &format!("SQS {queue}"),
        &format!("{queue}-dead"),
        "all sources answer",
        "Nothing has been changed",
    ] {
        browser.wait_for(&format!("document.body.innerText.includes({part:?})"));
    }

    // an error message is text, whatever it says
    browser.value("document.querySelector('#failures details').open = true");
    assert_eq!(
        browser.value("document.querySelector('#failures pre').textContent"),
        HOSTILE
    );
    assert_eq!(
        browser.value("document.querySelectorAll('main img, main script').length"),
        0
    );
    browser
        .wait_for("Number(document.querySelector('#failures .pill').innerText.split(' ')[0]) > 2");
    assert_eq!(
        browser.value("document.querySelector('#failures details[open]') !== null"),
        true,
        "what is open stays open"
    );

    // a change by hand, by keyboard: focus, type, Enter
    let input = "document.querySelector('[aria-label=\"Echo concurrency\"]')";
    browser.value(&format!("{input}.focus()"));
    browser.value(&format!(
        "{input}.value = '0'; {input}.form.requestSubmit()"
    ));
    browser.wait_for("document.getElementById('result').innerText.includes('from 1 to 1000')");
    browser.value(&format!(
        "{input}.value = '3'; {input}.form.requestSubmit()"
    ));
    browser
        .wait_for("document.querySelector('#functions .under').innerText.includes('of at most 3')");
    browser.value(
        "[...document.querySelectorAll('button')].find((b) => b.innerText === 'Pause').click()",
    );
    browser.wait_for("document.querySelector('#sources .pill').innerText === 'paused'");
    browser.wait_for("document.querySelector('#settings > .rows').innerText.includes('page')");

    for (width, scheme) in [
        (1280, "light"),
        (1280, "dark"),
        (400, "light"),
        (400, "dark"),
    ] {
        browser.look(width, 900, scheme);
        let overflow =
            "document.documentElement.scrollWidth > document.documentElement.clientWidth";
        assert_eq!(browser.value(overflow), false, "{width} pixels are enough");
        browser.picture_to(&format!("page-{width}-{scheme}.png"));
    }
    let ground = "getComputedStyle(document.body).backgroundColor";
    let dark = browser.value(ground);
    browser.look(1280, 900, "light");
    assert_ne!(browser.value(ground), dark, "dark and light are different");
    // the refused change is answered 422, which a browser logs
    let complaints: Vec<&String> = browser
        .complaints
        .iter()
        .filter(|complaint| !complaint.contains("status of 422"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
