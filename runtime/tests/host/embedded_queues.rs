//! Applications with queues and without an SQS server.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use sam_template::model::{Application, EmbeddedQueues};
use serde_json::json;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use usher::embedded_queues::EmbeddedServer;
use usher::listener::{Endpoint, Listener};
use usher::supervision::ComponentRegistry;

use crate::embedded_sqs_fixture::embedded;
use crate::examples_fixture::{Example, folder};

/// A copy of the template of thumbnails, with settings of its own.
fn thumbnails(copy: &Path, settings: &str) -> String {
    let code = folder("thumbnails").canonicalize().unwrap();
    let code = format!("CodeUri: {}", code.display());
    let template = fs::read_to_string(folder("thumbnails").join("template.yaml")).unwrap();
    let path = copy.join("template.yaml");
    fs::write(&path, template.replace("CodeUri: .", &code)).unwrap();
    fs::write(copy.join("usher.toml"), settings).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thumbnails_run_without_a_server_and_survive_a_kill() {
    let files = TempDir::new().unwrap();
    let (pictures, small) = (files.path().join("in"), files.path().join("out"));
    fs::create_dir(&pictures).unwrap();
    let image = [b"P6\n99 99\n255\n".to_vec(), vec![200; 99 * 99 * 3]].concat();
    fs::write(pictures.join("beach.ppm"), image).unwrap();
    fs::write(pictures.join("broken.ppm"), "GIF89a").unwrap();
    let address = free_address();
    let settings = format!("[embedded-queues]\naddress = \"{address}\"\nstorage = \"disk\"\n");
    let template = thumbnails(files.path(), &settings);
    let parameters = [
        format!("Pictures={}", pictures.display()),
        format!("Thumbnails={}", small.display()),
        "RetryAfter=3".to_owned(),
    ];
    let up = async || Example::start("thumbnails", &parameters, &["--template", &template]).await;
    let mut host = up().await;
    let log = host.log();
    let said: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("embedded"))
        .collect();
    assert!(
        said.len() == 1 && said[0].contains("queues.redb") && said[0].contains("[endpoints] sqs"),
        "{said:?}"
    );

    let client = testkit::sqs::client(&format!("http://{address}"));
    let url = async |queue: &str| {
        let get = client
            .get_queue_url()
            .queue_name(format!("thumbnails-{queue}"));
        get.send().await.unwrap().queue_url.unwrap()
    };
    let (to, dead) = (url("pictures").await, url("unreadable").await);
    for picture in ["beach.ppm", "broken.ppm"] {
        let body = json!({ "picture": picture }).to_string();
        let send = client.send_message().queue_url(&to).message_body(body);
        send.send().await.unwrap();
    }
    eventually("the picture is small", async || {
        small.join("beach.ppm").exists().then_some(())
    })
    .await;
    let kept = client.send_message().queue_url(&dead).message_body("kept");
    kept.send().await.unwrap();
    host.host.kill().unwrap();
    host.host.wait().unwrap();

    let host = up().await;
    let found = eventually(
        "what was accepted, and the unreadable picture",
        async || {
            let receive = client
                .receive_message()
                .queue_url(&dead)
                .max_number_of_messages(10);
            let received = receive.visibility_timeout(0).send().await.ok()?.messages?;
            let mut bodies: Vec<String> = received.into_iter().filter_map(|one| one.body).collect();
            bodies.sort();
            (bodies.len() == 2).then_some(bodies)
        },
    )
    .await;
    assert_eq!(found, ["kept", r#"{"picture":"broken.ppm"}"#]);
    host.drain();
}

#[tokio::test]
async fn a_damaged_file_is_refused() {
    let folder = TempDir::new().unwrap();
    let (server, url) = embedded(folder.path(), true).await;
    let client = testkit::sqs::client(&url);
    client.create_queue().queue_name("q").send().await.unwrap();
    let file = folder.path().join("queues.redb");
    let address = free_address();
    let open = async || {
        let queues = EmbeddedQueues {
            address,
            on_disk: true,
        };
        let listener = Listener::bind(Endpoint::loopback("embedded queues"))
            .await
            .unwrap();
        let registry = ComponentRegistry::default();
        let app = Application::default();
        EmbeddedServer::start(&app, &queues, listener, folder.path(), &registry)
            .map_err(|refused| refused.to_string())
    };
    let second = open().await.unwrap_err();
    assert!(
        second.contains("queues.redb") && second.contains("another usher"),
        "{second}"
    );
    drop(server);
    // its thread closes the file, and writes its header a last time
    eventually("the file is free", async || {
        fs::File::open(&file).unwrap().try_lock().ok()
    })
    .await;
    let damage = |at: u64, bytes: &[u8]| {
        let file = fs::OpenOptions::new().write(true).open(&file).unwrap();
        file.write_all_at(bytes, at).unwrap();
        file
    };
    damage(0, &[7; 64]);
    let damaged = open().await.unwrap_err();
    assert!(damaged.contains("queues.redb"), "{damaged}");
    damage(0, &[]).set_len(100).unwrap();
    let torn = open().await.unwrap_err();
    assert!(torn.contains("queues.redb"), "{torn}");
}

#[test]
fn a_queue_that_nothing_declares_is_refused() {
    let copy = TempDir::new().unwrap();
    let settings = format!("[embedded-queues]\naddress = \"{}\"\n", free_address());
    let template = thumbnails(copy.path(), &settings);
    let text = fs::read_to_string(&template).unwrap();
    let elsewhere = "Queue: arn:aws:sqs:us-east-1:000000000000:elsewhere";
    let text = text.replace("Queue: !GetAtt PicturesQueue.Arn", elsewhere);
    fs::write(&template, text).unwrap();
    let doctor = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["doctor", "--template", &template])
        .env_remove("AWS_ENDPOINT_URL_SQS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(
        said.contains("the template declares no queue elsewhere"),
        "{said}"
    );
}

#[test]
fn a_port_in_use_names_the_setting() {
    let copy = TempDir::new().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let template = thumbnails(
        copy.path(),
        &format!("[embedded-queues]\naddress = \"{address}\"\n"),
    );
    let up = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["up", "--template", &template])
        .env_remove("AWS_ENDPOINT_URL_SQS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&up.stderr);
    assert!(!up.status.success());
    assert!(said.contains("[embedded-queues] address"), "{said}");
}
