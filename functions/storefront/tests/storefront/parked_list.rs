//! The list of parked records: pages, filters and scopes.

use crate::parked::{Bytes, get, park, post};
use crate::support::{Scripted, by, call, open_with, problem};
use serde_json::json;

#[tokio::test]
async fn paging_visits_each_record_once() {
    let app = open_with(Scripted::new([])).await;
    let topic = app.settings.topic.clone();
    let records: Vec<Vec<u8>> = (0..23).map(|n: u32| n.to_string().into_bytes()).collect();
    let records: Vec<Bytes<'_>> = records
        .iter()
        .map(|value| (None, Some(value.as_slice())))
        .collect();
    let mut ids = park(&app, &topic, &records).await;
    park(&app, "another-topic", &records[..3]).await;
    app.serve(&post(&format!("/parked/{}/replay", ids[4]), None))
        .await
        .expect("replayed");
    let pages = async |filter: String| {
        let mut seen = Vec::new();
        let mut after = String::new();
        loop {
            let page = app
                .serve(&get(&format!("/parked?limit=5{filter}{after}")))
                .await
                .expect("a page")
                .body;
            let records = page["records"].as_array().expect("a list").clone();
            assert!(
                records.iter().all(|record| record.get("value").is_none()),
                "bytes are shown one by one"
            );
            seen.extend(
                records
                    .iter()
                    .map(|record| record["id"].as_str().expect("an id").to_owned()),
            );
            match page["after"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => return seen,
            }
        }
    };
    assert_eq!(pages(String::new()).await.len(), 26);
    assert_eq!(pages("&state=replayed".to_owned()).await, [ids[4].clone()]);
    let mut mine = pages(format!("&topic={topic}")).await;
    mine.reverse();
    assert_eq!(mine, ids);
    ids.remove(4);
    let mut open = pages(format!("&topic={topic}&state=parked")).await;
    open.reverse();
    assert_eq!(open, ids);
    for bad in [
        "after=1",
        "limit=0",
        "limit=101",
        "state=lost",
        "topic=a%00",
        "topic=",
    ] {
        assert_eq!(
            problem(app.serve(&get(&format!("/parked?{bad}"))).await),
            (400, "malformed_request"),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn parked_records_need_their_scope() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let topic = app.settings.topic.clone();
    let id = park(&app, &topic, &[(None, Some(b"v"))]).await.remove(0);
    let why = Some(json!({"why": "no use"}));
    let all = |id: &str| {
        let one = format!("/parked/{id}");
        [
            ("GET", "/parked".to_owned(), None, "parked:read"),
            ("GET", one.clone(), None, "parked:read"),
            ("POST", format!("{one}/replay"), None, "parked:write"),
            (
                "POST",
                format!("{one}/discard"),
                why.clone(),
                "parked:write",
            ),
        ]
    };
    for (method, path, body, scope) in all(&id) {
        let other = if scope == "parked:read" {
            "parked:write"
        } else {
            "parked:read programs:write"
        };
        assert_eq!(
            problem(
                app.serve(&by("ops", other, method, &path, body.clone()))
                    .await
            ),
            (403, "forbidden"),
            "{path}"
        );
        assert_eq!(
            problem(app.serve(&call(method, &path, None, body)).await),
            (401, "unauthorized"),
            "{path}"
        );
    }
    for missing in ["999999", "0", "-1", "01", "x", "99999999999999999999"] {
        for (method, path, body, scope) in all(missing).into_iter().skip(1) {
            assert_eq!(
                problem(app.serve(&by("ops", scope, method, &path, body)).await),
                (404, "no_such_record"),
                "{path}"
            );
        }
    }
    let foreign = park(&app, "demo-order-create", &[(None, Some(b"v"))])
        .await
        .remove(0);
    assert_eq!(
        problem(
            app.serve(&post(&format!("/parked/{foreign}/replay"), None))
                .await
        ),
        (409, "foreign_topic")
    );
    assert_eq!(
        problem(
            app.serve(&post(&format!("/parked/{id}/replay"), Some(json!("x"))))
                .await
        ),
        (400, "malformed_request")
    );
    assert!(publisher.put_back.lock().expect("whole").is_empty());
    let of_a_call = park(&app, &app.settings.calls.topic, &[(None, Some(b"v"))])
        .await
        .remove(0);
    app.serve(&post(&format!("/parked/{of_a_call}/replay"), None))
        .await
        .expect("one of this environment's topics");
}
