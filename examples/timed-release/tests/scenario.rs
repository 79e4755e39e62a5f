//! The scenario as a user runs it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A program that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(url: Option<&str>) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_timed-release"));
    if let Some(url) = url {
        program.env("REDIS_URL", url);
    }
    program.output().expect("the example starts")
}

#[test]
fn the_scenario_ends_without_violations() {
    let output = run(None);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for step in [
        "held",
        "extended",
        "confirmed",
        "killed",
        "the sign sticks",
        "parked",
        "replayed",
        "No hold was lost, no table was released early.",
    ] {
        assert!(stdout.contains(step), "{step} is missing:\n{stdout}");
    }
    assert!(
        stdout.contains("13 tables: 11 released, 2 kept"),
        "{stdout}"
    );
}

#[test]
fn without_redis_the_error_names_the_remedy() {
    let output = run(Some("redis://127.0.0.1:1"));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("REDIS_URL"), "{stderr}");
}

/// Closes every connection to a server but the test's own.
fn cut(client: &redis::Client) {
    let mut redis = client.get_connection().expect("connects");
    for kind in ["normal", "pubsub"] {
        redis::cmd("CLIENT")
            .arg("KILL")
            .arg("TYPE")
            .arg(kind)
            .exec(&mut redis)
            .expect("killed");
    }
}

#[test]
fn the_scenario_survives_closed_connections() {
    let port = testkit::net::free_address().port();
    let mut server = Command::new("redis-server");
    server.args([
        "--port",
        &port.to_string(),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]);
    let _server = Running(
        server
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server starts"),
    );
    let url = format!("redis://127.0.0.1:{port}");
    let client = redis::Client::open(url.as_str()).expect("an address");
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = client.get_connection() {
        assert!(
            Instant::now() < deadline,
            "the private redis-server does not answer: {error}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_timed-release"));
    let program = program
        .env("REDIS_URL", &url)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut program = Running(program.spawn().expect("the example starts"));
    let mut output = Vec::new();
    for line in BufReader::new(program.0.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        // While tables are held, and again while one worker runs.
        if line.contains("confirmed  table-5") || line.contains("killed     worker-1") {
            cut(&client);
        }
        output.push(line);
    }
    let mut errors = String::new();
    program
        .0
        .stderr
        .take()
        .expect("piped")
        .read_to_string(&mut errors)
        .expect("text");
    let output = output.join("\n");
    assert!(
        program.0.wait().expect("ends").success(),
        "{output}\n{errors}"
    );
    assert!(
        output.contains("13 tables: 11 released, 2 kept"),
        "{output}"
    );
}
