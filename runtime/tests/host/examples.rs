//! The example applications under `usher up`, with real servers and requests.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;

use crate::examples_fixture::{Example, folder};
use crate::kafka_fixture::{KafkaFixture, random};
use crate::sqs_fixture::{client, endpoint};

/// A picture of one colour, its sides this long.
fn picture(side: usize) -> Vec<u8> {
    [
        format!("P6\n{side} {side}\n255\n").into_bytes(),
        vec![200; side * side * 3],
    ]
    .concat()
}

async fn count(queue: &str) -> Option<usize> {
    let received = client(&endpoint())
        .receive_message()
        .queue_url(format!("{}/000000000000/{queue}", endpoint()))
        .max_number_of_messages(10);
    Some(received.send().await.ok()?.messages().len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thumbnails_shrink_pictures_and_park_unreadable_ones() {
    let prefix = random();
    let files = TempDir::new().unwrap();
    let pictures = files.path().join("in");
    let small = files.path().join("out");
    fs::create_dir(&pictures).unwrap();
    for at in 0..12 {
        fs::write(pictures.join(format!("{at}.ppm")), picture(100 + at)).unwrap();
    }
    fs::write(pictures.join("broken.ppm"), "GIF89a").unwrap();
    let parameters = [
        format!("Prefix={prefix}"),
        format!("Pictures={}", pictures.display()),
        format!("Thumbnails={}", small.display()),
        "RetryAfter=3".to_owned(),
    ];
    let example = Example::up("thumbnails", &parameters, &[]).await;
    let queue = format!("{}/000000000000/{prefix}-pictures", endpoint());
    for name in ["broken".to_owned()]
        .into_iter()
        .chain((0..12).map(|at| at.to_string()))
    {
        let body = json!({ "picture": format!("{name}.ppm") }).to_string();
        client(&endpoint())
            .send_message()
            .queue_url(&queue)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }
    eventually(
        "the unreadable picture is in the dead-letter queue",
        async || (count(&format!("{prefix}-unreadable")).await? == 1).then_some(()),
    )
    .await;
    let mut made: Vec<String> = fs::read_dir(&small)
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    made.sort();
    let mut expected: Vec<String> = (0..12).map(|at| format!("{at}.ppm")).collect();
    expected.sort();
    assert_eq!(made, expected, "every other picture, and no halves");
    assert_eq!(fs::read(small.join("7.ppm")).unwrap(), picture(64));
    assert_eq!(
        count(&format!("{prefix}-pictures")).await,
        Some(0),
        "nothing is left"
    );
    example.drain();
}

/// What stands in a queue of the dead, as soon as there is something; it is taken out.
async fn dead_letter(queue: &str) -> Value {
    let client = client(&endpoint());
    let url = format!("{}/000000000000/{queue}", endpoint());
    let body = eventually("the queue has a message", async || {
        let received = client.receive_message().queue_url(&url).send().await.ok()?;
        let message = received.messages()[..].first()?.clone();
        client
            .delete_message()
            .queue_url(&url)
            .receipt_handle(message.receipt_handle()?)
            .send()
            .await
            .ok()?;
        message.body().map(str::to_owned)
    })
    .await;
    serde_json::from_str(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_bad_meter_readings_are_reported() {
    let fixture = KafkaFixture::new(1).await;
    let prefix = random();
    let copy = TempDir::new().unwrap();
    // A copy, because only usher.toml can say where the cluster is.
    let code = format!(
        "CodeUri: {}",
        folder("meter-readings").canonicalize().unwrap().display()
    );
    let template = fs::read_to_string(folder("meter-readings").join("template.yaml"))
        .unwrap()
        .replace("CodeUri: .", &code);
    fs::write(copy.path().join("template.yaml"), template).unwrap();
    fs::write(
        copy.path().join("usher.toml"),
        format!(
            "[kafka]\n\"Record.Readings\" = \"{}\"\n",
            fixture.mapping.bootstrap_servers
        ),
    )
    .unwrap();
    let ledger = copy.path().join("ledger.jsonl");
    let parameters = [
        format!("Prefix={prefix}"),
        format!("Topic={}", fixture.mapping.topics[0]),
        format!("Ledger={}", ledger.display()),
    ];
    let reading = |at: usize| {
        let wh: i64 = if at == 5 || at == 13 {
            -1
        } else {
            1000 + at as i64
        };
        json!({"meter": "m1", "at": format!("2026-01-01T{at:02}:00:00Z"), "wh": wh}).to_string()
    };
    fixture
        .produce(0, &(0..20).map(reading).collect::<Vec<_>>())
        .await;
    let template = copy.path().join("template.yaml");
    let example = Example::up(
        "meter-readings",
        &parameters,
        &["--template", template.to_str().unwrap()],
    )
    .await;

    let queue = format!("{prefix}-rejected");
    for bad in ["5", "13"] {
        let told = dead_letter(&queue).await;
        let record =
            &told["KafkaBatchInfo"]["recordsInfo"][format!("{}-0", fixture.mapping.topics[0])];
        assert_eq!(
            (&record["firstRecordOffset"], &record["lastRecordOffset"]),
            (&json!(bad), &json!(bad)),
            "{told}"
        );
        assert_eq!(
            told["requestContext"]["condition"],
            "RetryAttemptsExhausted"
        );
    }
    let offsets = || -> BTreeSet<u64> {
        let text = fs::read_to_string(&ledger).unwrap_or_default();
        text.lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["offset"]
                    .as_u64()
                    .unwrap()
            })
            .collect()
    };
    let expected: BTreeSet<u64> = (0..20).filter(|at| ![5, 13].contains(at)).collect();
    eventually("every good reading is in the ledger", async || {
        (offsets() == expected).then_some(())
    })
    .await;
    example.drain();
}

/// A web server that records its requests.
fn page() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let visits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&visits);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or(0);
            seen.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&head[..length]).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        }
    });
    (address, visits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_check_answers_requests_and_runs_on_schedule() {
    let (address, visits) = page();
    let nowhere = free_address();
    let parameters = [format!(
        "Pages=\"home=http://{address}/ gone=http://{nowhere}/\""
    )];
    // A copy: the folder's own usher.toml would be the reader's.
    let copy = TempDir::new().unwrap();
    let source = folder("link-check");
    fs::create_dir(copy.path().join("check")).unwrap();
    for file in [
        "template.yaml",
        "check/Makefile",
        "check/go.mod",
        "check/lambda.go",
        "check/main.go",
        "check/pages.go",
    ] {
        fs::copy(source.join(file), copy.path().join(file)).unwrap();
    }
    fs::write(
        copy.path().join("usher.toml"),
        "[schedules]\n\"Check.Round\" = \"rate(1 second)\"\n",
    )
    .unwrap();
    let template = copy.path().join("template.yaml");
    let example = Example::up(
        "link-check",
        &parameters,
        &["--template", template.to_str().unwrap()],
    )
    .await;

    let (status, home) = example.get("/pages/home").await;
    assert_eq!(
        (status, &home["up"], &home["status"]),
        (200, &json!(true), &json!(204)),
        "{home}"
    );
    let (status, all) = example.get("/pages").await;
    assert_eq!(
        (status, &all[0]["name"], &all[1]["name"], &all[1]["up"]),
        (200, &json!("home"), &json!("gone"), &json!(false))
    );
    let (status, unknown) = example.get("/pages/other").await;
    assert_eq!(
        (status, &unknown["message"]),
        (404, &json!("no page is called other"))
    );
    eventually(
        "the schedule fires, and a page that is away fails the run",
        async || example.log().contains("down: gone").then_some(()),
    )
    .await;
    // the host's preflight check opens a connection without a request
    let visits = visits.lock().unwrap().clone();
    let mut asked = visits.iter().filter(|visit| !visit.is_empty()).peekable();
    assert!(
        asked.peek().is_some() && asked.all(|visit| visit.contains("User-Agent: link-check")),
        "{visits:?}"
    );
    assert_eq!(
        example.status().await.unwrap()["functions"][0]["function"],
        "Check"
    );
    example.drain();
}

#[test]
fn link_check_is_formatted_and_its_tests_pass() {
    for arguments in [&["vet", "./..."][..], &["test", "./..."]] {
        let output = Command::new("go")
            .args(arguments)
            .current_dir(folder("link-check/check"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "go {arguments:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
    let unformatted = Command::new("gofmt")
        .args(["-l", "."])
        .current_dir(folder("link-check/check"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&unformatted.stdout), "", "gofmt -w");
}
