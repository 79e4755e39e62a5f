//! The program on a machine whose clock is ahead: the deadline in the event is in the past.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use shared::sale::Status;

use crate::environment::with;

/// How far that clock is ahead of the clock that set the deadline: more than the function's
/// timeout.
const AHEAD: Duration = Duration::from_secs(120);
/// Maximum time of the invocation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads one request: its first line and its body.
fn read(connection: &mut BufReader<TcpStream>) -> (String, String) {
    let mut first = String::new();
    let mut length = 0;
    connection.read_line(&mut first).expect("a request");
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).expect("a header");
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).expect("a body");
    (first, String::from_utf8(body).expect("JSON"))
}

/// A Runtime API that returns one tick, then the answer of the function.
fn invoke(listener: &TcpListener, event: &str) -> String {
    let deadline = SystemTime::now() + Duration::from_secs(55) - AHEAD;
    let deadline_ms = deadline
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_millis();
    let (stream, _) = listener.accept().expect("the function connects");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut connection = BufReader::new(stream.try_clone().expect("a socket"));
    let (next, _) = read(&mut connection);
    assert!(next.contains("/invocation/next"), "{next}");
    let head = format!(
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: one\r\nlambda-runtime-deadline-ms: \
            {deadline_ms}\r\n\
         lambda-runtime-invoked-function-arn: \
         arn:aws:lambda:eu-central-1:000000000000:function:closer\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        event.len()
    );
    (&stream)
        .write_all(head.as_bytes())
        .and_then(|()| (&stream).write_all(event.as_bytes()))
        .expect("sent");
    // The answer may arrive on another connection.
    listener.set_nonblocking(true).expect("a socket");
    let answer = loop {
        let mut first = [0];
        stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .expect("a timeout");
        if stream.peek(&mut first).is_ok() {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            break read(&mut connection);
        }
        if let Ok((other, _)) = listener.accept() {
            other
                .set_nonblocking(false)
                .and_then(|()| other.set_read_timeout(Some(PATIENCE)))
                .expect("a socket");
            break read(&mut BufReader::new(other));
        }
        assert!(
            SystemTime::now() < deadline + AHEAD + PATIENCE,
            "the function does not answer"
        );
    };
    assert!(answer.0.contains("/invocation/one/response"), "{answer:?}");
    answer.1
}

#[tokio::test]
async fn a_clock_far_ahead_delays_no_closing() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.overdue(&order).await;
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let mut command = Command::new(env!("CARGO_BIN_EXE_timeout-closer"));
        command.env_clear().envs(env.variables(&[]));
        command.env(
            "AWS_LAMBDA_RUNTIME_API",
            listener.local_addr().expect("bound").to_string(),
        );
        command
            .env("AWS_LAMBDA_FUNCTION_NAME", "closer")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128");
        let _process = Killed(command.stdout(Stdio::null()).spawn().expect("starts"));
        let event = include_str!("../../../../events/timeout-closer/scheduler.json");
        let answer = tokio::task::spawn_blocking(move || invoke(&listener, event))
            .await
            .expect("an answer");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(
            (&answer["claimed"], &answer["closed"], &answer["unfinished"]),
            (&1.into(), &1.into(), &false.into())
        );
        assert_eq!(
            (env.status(&order).await, env.free().await),
            (Some(Status::Closed), 10)
        );
        assert!(!env.has_entry(&order).await);
    })
    .await;
}
