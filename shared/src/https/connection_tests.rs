//! A connection to a server that closes it.

use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const BODY: &[u8] = b"spans";

/// Answers the given number of requests on each connection, then closes it. Returns the requests.
async fn serve(listener: TcpListener, connections: &[usize]) -> Vec<String> {
    let mut read = Vec::new();
    for requests in connections {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        for _ in 0..*requests {
            let mut request = Vec::new();
            while !request.ends_with(BODY) {
                assert_ne!(
                    stream.read_buf(&mut request).await.expect("a request"),
                    0,
                    "closed within a request"
                );
            }
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                .await
                .expect("an answer");
            read.push(String::from_utf8(request).expect("text"));
        }
    }
    read
}

async fn post(connection: &mut Connection) -> Bytes {
    let headers =
        HeaderMap::from_iter([(http::header::ACCEPT, http::HeaderValue::from_static("x"))]);
    let answer = connection
        .send(
            Method::POST,
            "/v1/traces",
            &headers,
            Bytes::from_static(BODY),
        )
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 200);
    answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes()
}

#[tokio::test]
async fn a_closed_connection_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = listener.local_addr().expect("bound").to_string();
    let served = tokio::spawn(serve(listener, &[2, 1]));
    let mut connection = Connection::to(server.parse().expect("an authority"), None, "ADDRESS");
    for _ in 0..2 {
        assert_eq!(post(&mut connection).await, "ok");
    }
    // Until the client has noticed that the connection is closed.
    while connection
        .kept
        .as_ref()
        .is_some_and(|(sender, _)| !sender.is_closed())
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(post(&mut connection).await, "ok");
    let requests = served.await.expect("no panic");
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert!(
            request.starts_with("POST /v1/traces HTTP/1.1\r\n"),
            "{request}"
        );
        let lower = request.to_lowercase();
        assert!(
            lower.contains(&format!("host: {server}\r\n")) && lower.contains("accept: x\r\n"),
            "{request}"
        );
    }
}

#[tokio::test]
async fn a_missing_server_is_a_connection_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = listener.local_addr().expect("bound").to_string();
    drop(listener);
    let mut connection = Connection::to(server.parse().expect("an authority"), None, "ADDRESS");
    let error = connection
        .send(Method::GET, "/", &HeaderMap::new(), Bytes::new())
        .await
        .expect_err("the port is closed");
    assert!(error.to_string().contains("refused"), "{error}");
}
