//! Budgets by themselves, and over real connections.

use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::places::Full as NoRoom;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_longest_waiting_connection_makes_room() {
    let places = Places::new("test", 2, 0);
    let now = Instant::now();
    let (first, mut first_closed) = places.try_take(now).unwrap();
    let (second, mut second_closed) = places.try_take(now + SECOND).unwrap();
    // the client of the first took something of its answer: the other one has waited longer
    first.progressed(now + 2 * SECOND);
    assert!(places.try_take(now + 3 * SECOND).is_none());
    assert!(second_closed.try_recv().is_ok() && first_closed.try_recv().is_err());
    assert!(!second.works(), "a closed connection begins nothing");
    assert!(
        places.try_take(now + 3 * SECOND).is_none(),
        "it still has its open file"
    );
    drop(second);
    let (_third, _closed) = places.try_take(now + 3 * SECOND).unwrap();
    let stats = places.stats();
    assert_eq!((stats.open, stats.limit, stats.closed), (2, 2, 1));
}

#[test]
fn a_request_at_work_is_never_closed() {
    let places = Places::new("test", 1, 0);
    let now = Instant::now();
    let (place, mut closed) = places.try_take(now).unwrap();
    assert!(place.works());
    assert!(places.try_take(now).is_none());
    assert!(closed.try_recv().is_err());
    place.waits(now);
    assert!(places.try_take(now).is_none() && closed.try_recv().is_ok());
    drop(place);
    assert!(places.try_take(now).is_some());
}

#[test]
fn a_body_held_back_gives_its_bytes_to_others() {
    let places = Places::new("test", 10, 100);
    let now = Instant::now();
    let (slow, mut slow_closed) = places.try_take(now).unwrap();
    slow.hold(80, now).unwrap();
    slow.waits(now);
    let (quick, _closed) = places.try_take(now).unwrap();
    assert_eq!(quick.hold(50, now), Err(NoRoom), "it may still come");
    assert!(slow_closed.try_recv().is_err());
    quick.hold(50, now + SECOND).unwrap();
    assert!(slow_closed.try_recv().is_ok());
    assert_eq!(places.stats().body_bytes, 50);
    drop(slow);
    quick.release();
    assert_eq!(places.stats().body_bytes, 0);
}

/// A port that answers with the number of bytes of a request's body.
async fn port(places: &Places) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, (stop, stopping)) = (listener.local_addr().unwrap(), watch::channel(false));
    let rules = Rules {
        drain: Some(SECOND),
        ..Rules::default()
    };
    tokio::spawn(serve(
        listener,
        places.clone(),
        rules,
        stopping,
        |request: Request<Incoming>, peers: Peers| async move {
            let mut answer = Response::new(Full::new(Bytes::from_static(b"ok")));
            if peers.body(request.into_body(), 1_000).await.is_err() {
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            }
            answer
        },
    ));
    (address, stop)
}

/// The status line that a request with this body gets.
async fn ask(address: SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn clients_that_say_nothing_keep_no_other_out() {
    let places = Places::new("test", 4, 1_000);
    let (address, _stop) = port(&places).await;
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
        assert_eq!(ask(address, "hello").await, "HTTP/1.1 200 OK");
    }
    assert!(
        places.stats().open <= 4 && places.stats().closed >= 26,
        "{:?}",
        places.stats()
    );
}

#[tokio::test]
async fn bytes_return_when_a_request_is_over() {
    let places = Places::new("test", 4, 100);
    let (address, _stop) = port(&places).await;
    for _ in 0..5 {
        assert_eq!(ask(address, &"x".repeat(90)).await, "HTTP/1.1 200 OK");
    }
    assert_eq!(
        ask(address, &"x".repeat(101)).await,
        "HTTP/1.1 503 Service Unavailable"
    );
    assert_eq!(places.stats().body_bytes, 0);
}
