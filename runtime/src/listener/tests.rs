//! The budget on its own, and over real connections.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::budget::BudgetExhausted;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_longest_waiting_connection_makes_room() {
    let budget = ConnectionBudget::new("test", 2, 0);
    let now = Instant::now();
    let (first, mut first_closed) = budget.try_acquire(now).unwrap();
    let (second, mut second_closed) = budget.try_acquire(now + SECOND).unwrap();
    // the client of the first took bytes of its response: the other one has waited longer
    first.record_progress(now + 2 * SECOND);
    assert!(budget.try_acquire(now + 3 * SECOND).is_none());
    assert!(second_closed.try_recv().is_ok() && first_closed.try_recv().is_err());
    assert!(
        !second.start_request(),
        "a closing connection starts no request"
    );
    assert!(
        budget.try_acquire(now + 3 * SECOND).is_none(),
        "its file descriptor is still open"
    );
    drop(second);
    let (_third, _closed) = budget.try_acquire(now + 3 * SECOND).unwrap();
    let stats = budget.stats();
    assert_eq!((stats.open, stats.limit, stats.closed), (2, 2, 1));
}

#[test]
fn a_request_in_progress_is_never_closed() {
    let budget = ConnectionBudget::new("test", 1, 0);
    let now = Instant::now();
    let (permit, mut closed) = budget.try_acquire(now).unwrap();
    assert!(permit.start_request());
    assert!(budget.try_acquire(now).is_none());
    assert!(closed.try_recv().is_err());
    permit.wait_for_client(now);
    assert!(budget.try_acquire(now).is_none() && closed.try_recv().is_ok());
    drop(permit);
    assert!(budget.try_acquire(now).is_some());
}

#[test]
fn a_stalled_body_yields_its_bytes() {
    let budget = ConnectionBudget::new("test", 10, 100);
    let now = Instant::now();
    let (slow, mut slow_closed) = budget.try_acquire(now).unwrap();
    slow.reserve_bytes(80, now).unwrap();
    slow.wait_for_client(now);
    let (quick, _closed) = budget.try_acquire(now).unwrap();
    assert_eq!(
        quick.reserve_bytes(50, now),
        Err(BudgetExhausted),
        "the body may still arrive"
    );
    assert!(slow_closed.try_recv().is_err());
    quick.reserve_bytes(50, now + SECOND).unwrap();
    assert!(slow_closed.try_recv().is_ok());
    assert_eq!(budget.stats().body_bytes, 50);
    drop(slow);
    quick.release_bytes();
    assert_eq!(budget.stats().body_bytes, 0);
}

/// A listener that answers 200 where it could read the body, else 503.
async fn listening(budget: &ConnectionBudget) -> (SocketAddr, watch::Sender<bool>) {
    let listener = Listener::bind(Endpoint::loopback("test")).await.unwrap();
    let listener = listener
        .with_budget(budget.clone())
        .with_policy(ListenerPolicy {
            drain: Some(SECOND),
            ..ListenerPolicy::default()
        });
    let address = listener.address();
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let handle = |request: Request<Incoming>, connection: ConnectionInfo| async move {
            match connection.read_body(request.into_body(), 1_000).await {
                Ok(_) => empty_reply(StatusCode::OK),
                Err(_) => empty_reply(StatusCode::SERVICE_UNAVAILABLE),
            }
        };
        listener.serve(stopping, handle).await
    });
    (address, stop)
}

/// The status line that a request with this body gets.
async fn post(address: SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn silent_clients_keep_no_other_client_out() {
    let budget = ConnectionBudget::new("test", 4, 1_000);
    let (address, _stop) = listening(&budget).await;
    let mut silent = Vec::new();
    for head in [
        "",
        "POST / HT",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n",
    ]
    .iter()
    .cycle()
    .take(30)
    {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    for _ in 0..10 {
        assert_eq!(post(address, "hello").await, "HTTP/1.1 200 OK");
    }
    assert!(
        budget.stats().open <= 4 && budget.stats().closed >= 26,
        "{:?}",
        budget.stats()
    );
}

#[tokio::test]
async fn body_bytes_return_after_the_response() {
    let budget = ConnectionBudget::new("test", 4, 100);
    let (address, _stop) = listening(&budget).await;
    for _ in 0..5 {
        assert_eq!(post(address, &"x".repeat(90)).await, "HTTP/1.1 200 OK");
    }
    assert_eq!(
        post(address, &"x".repeat(101)).await,
        "HTTP/1.1 503 Service Unavailable"
    );
    assert_eq!(budget.stats().body_bytes, 0);
}

#[tokio::test]
async fn a_listener_is_served_again_until_it_is_closed() {
    let listener = Listener::bind(Endpoint::loopback("test")).await.unwrap();
    let serve = || async {
        let (stop, stopping) = watch::channel(false);
        let again = listener.clone();
        let handle = |_, _| async { empty_reply(StatusCode::OK) };
        let serving = tokio::spawn(async move { again.serve(stopping, handle).await });
        (stop, serving)
    };
    for _ in 0..2 {
        let (stop, serving) = serve().await;
        assert_eq!(post(listener.address(), "").await, "HTTP/1.1 200 OK");
        stop.send(true).unwrap();
        serving.await.unwrap().unwrap();
    }
    listener.close();
    let (_stop, serving) = serve().await;
    assert!(serving.await.unwrap().is_err());
    assert!(TcpStream::connect(listener.address()).await.is_err());
}
