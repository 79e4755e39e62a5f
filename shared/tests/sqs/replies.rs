//! Replies that a real server gives only when it fails.

use std::io::{Read, Write};
use std::net::TcpListener;

use shared::sqs::{NewMessage, Queue, Sent, SqsError};
use testkit::sqs::client;

use crate::environment::message;

/// Sends messages to a server that gives these replies (status and body) in order. Returns the
/// results, and the number of messages of each request.
async fn send_to(
    answers: &'static [(u16, &'static str)],
    messages: &[NewMessage],
) -> (Result<Vec<Sent>, SqsError>, Vec<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let serving = std::thread::spawn(move || {
        let mut counts = Vec::new();
        for (status, body) in answers {
            let (mut socket, _) = listener.accept().expect("a connection");
            counts.push(entries(&mut socket));
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            socket
                .write_all((head + body).as_bytes())
                .expect("answered");
        }
        counts
    });
    let sent = Queue::new(client(&url), &format!("{url}/0/q"))
        .send(messages)
        .await;
    (sent, serving.join().expect("no panic"))
}

/// Reads a request. Returns its number of messages.
fn entries(socket: &mut std::net::TcpStream) -> usize {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .expect("a length");
            if body.len() >= length.parse().expect("a number") {
                return body.matches("\"messagebody\"").count();
            }
        }
        let n = socket.read(&mut chunk).expect("a request");
        assert!(n > 0, "the request ends early");
        bytes.extend_from_slice(&chunk[..n]);
    }
}

fn refused(permanent: bool, reason: &str) -> Sent {
    Sent::Refused {
        permanent,
        reason: reason.to_owned(),
    }
}

#[tokio::test]
async fn each_message_of_a_batch_has_its_result() {
    const ANSWER: &str = r#"{
        "Successful":[
            {"Id":"2","MessageId":"m","MD5OfMessageBody":"x"},
            {"Id":"77","MessageId":"m","MD5OfMessageBody":"x"}
        ],
        "Failed":[
            {"Id":"0","SenderFault":true,"Code":"InvalidParameterValue","Message":"bad"},
            {"Id":"3","SenderFault":false,"Code":"InternalError"}
        ]
    }"#;
    let messages = [message("0"), message("1"), message("2"), message("3")];
    let (sent, _) = send_to(&[(200, ANSWER)], &messages).await;
    let expected = vec![
        refused(true, "InvalidParameterValue: bad"),
        refused(false, "the reply of SQS does not contain it"),
        Sent::Accepted,
        refused(false, "InternalError: no message"),
    ];
    assert_eq!(sent, Ok(expected));
}

#[tokio::test]
async fn a_batch_with_an_invalid_message_is_bisected() {
    const TOO_LONG: &str =
        r#"{"__type":"com.amazonaws.sqs#BatchRequestTooLong","message":"too long"}"#;
    const ONE: &str =
        r#"{"Successful":[{"Id":"0","MessageId":"m","MD5OfMessageBody":"x"}],"Failed":[]}"#;
    const TWO: &str = r#"{
        "Successful":[
            {"Id":"0","MessageId":"m","MD5OfMessageBody":"x"},
            {"Id":"1","MessageId":"m","MD5OfMessageBody":"x"}
        ],
        "Failed":[]
    }"#;
    let messages = [message("0"), message("1"), message("2"), message("3")];
    let (sent, counts) = send_to(
        &[
            (400, TOO_LONG),
            (400, TOO_LONG),
            (200, ONE),
            (400, TOO_LONG),
            (200, TWO),
        ],
        &messages,
    )
    .await;
    let sent = sent.expect("answered");
    assert_eq!(counts, [4, 2, 1, 1, 2]);
    assert!(
        matches!(
            &sent[1],
            Sent::Refused { permanent: true, reason } if reason.contains("too long")
        ),
        "{sent:?}"
    );
    assert_eq!([&sent[0], &sent[2], &sent[3]], [&Sent::Accepted; 3]);
}

#[tokio::test]
async fn transient_errors_are_unavailable() {
    const THROTTLED: &str =
        r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow down"}"#;
    const DENIED: &str =
        r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"no"}"#;
    let send = async |answers| {
        send_to(answers, &[message("0")])
            .await
            .0
            .expect_err("refused")
    };
    for transient in [&[(400, THROTTLED)][..], &[(503, "")], &[(500, "{}")]] {
        let error = send(transient).await;
        assert!(
            matches!(error, SqsError::Unavailable(_)),
            "{transient:?}: {error}"
        );
    }
    let error = send(&[(403, DENIED)]).await;
    assert_eq!(
        error,
        SqsError::Refused("AccessDeniedException: no".to_owned())
    );
}
