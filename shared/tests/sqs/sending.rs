//! Sending to a real queue.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use shared::config::Reader;
use shared::sqs::{MAX_BATCH, MAX_BYTES, NewMessage, Queue, Sent, SqsAccess, SqsError};
use testkit::relay::Relay;
use testkit::servers::sqs_endpoint;
use testkit::sqs::client;

use crate::environment::{attributes, fifo, message, with};

/// How late a timeout may be noticed on a busy machine.
const LATE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_full_batch_arrives_with_its_attributes() {
    with(false, |environment| async move {
        let trace = (
            "traceparent".to_owned(),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned(),
        );
        let messages: Vec<NewMessage> = (0..MAX_BATCH)
            .map(|n| NewMessage {
                attributes: vec![trace.clone()],
                ..message(&format!("{{\"n\":{n}}}"))
            })
            .collect();
        assert_eq!(
            environment.queue().send(&messages).await,
            Ok(vec![Sent::Accepted; MAX_BATCH])
        );
        let received = environment.receive(MAX_BATCH).await;
        let mut bodies: Vec<_> = received
            .iter()
            .map(|m| m.body().expect("a body").to_owned())
            .collect();
        bodies.sort();
        assert_eq!(
            bodies,
            messages.iter().map(|m| m.body.clone()).collect::<Vec<_>>()
        );
        assert!(
            received
                .iter()
                .all(|m| attributes(m).get(&trace.0) == Some(&trace.1))
        );
    })
    .await;
}

#[tokio::test]
async fn the_largest_message_is_accepted() {
    with(false, |environment| async move {
        let attribute = ("name".to_owned(), "value".to_owned());
        let room = MAX_BYTES - "name".len() - "String".len() - "value".len();
        let largest = NewMessage {
            attributes: vec![attribute],
            ..message(&"x".repeat(room))
        };
        assert_eq!(largest.checked_size(), Ok(MAX_BYTES));
        assert_eq!(
            environment.queue().send(&[largest]).await,
            Ok(vec![Sent::Accepted])
        );
        assert_eq!(
            environment.receive(1).await[0].body().map(str::len),
            Some(room)
        );
        assert!(message(&"x".repeat(MAX_BYTES + 1)).checked_size().is_err());
    })
    .await;
}

#[tokio::test]
async fn an_empty_batch_is_not_sent() {
    with(false, |environment| async move {
        assert_eq!(environment.queue().send(&[]).await, Ok(vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_repeated_fifo_message_is_delivered_once() {
    with(true, |environment| async move {
        let queue = environment.queue();
        let messages = [fifo("1", "a", "d1"), fifo("2", "a", "d2")];
        for _ in 0..2 {
            assert_eq!(queue.send(&messages).await, Ok(vec![Sent::Accepted; 2]));
        }
        assert_eq!(
            queue.send(&[fifo("3", "a", "d3")]).await,
            Ok(vec![Sent::Accepted])
        );
        let bodies: Vec<_> = environment
            .receive(3)
            .await
            .into_iter()
            .filter_map(|m| m.body)
            .collect();
        assert_eq!(bodies, ["1", "2", "3"]);
    })
    .await;
}

#[tokio::test]
async fn a_missing_queue_is_refused() {
    let url = format!("{}/000000000000/missing-queue", sqs_endpoint());
    let error = Queue::new(client(&sqs_endpoint()), &url)
        .send(&[message("x")])
        .await
        .expect_err("no queue");
    assert!(
        matches!(
            &error,
            SqsError::Refused(why) if why.contains("NonExistent") || why.contains("DoesNotExist")
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_closed_endpoint_is_unavailable() {
    let port = testkit::net::free_address().port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let error = Queue::new(client(&nowhere), &format!("{nowhere}/0/q"))
        .send(&[message("x")])
        .await
        .expect_err("nobody");
    assert!(matches!(error, SqsError::Unavailable(_)), "{error}");
}

#[tokio::test]
async fn a_silent_endpoint_times_out() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an address"));
    let config = client(&url).config().to_builder();
    let timeout = aws_sdk_sqs::config::timeout::TimeoutConfig::builder()
        .operation_timeout(Duration::from_millis(200))
        .build();
    let client = aws_sdk_sqs::Client::from_conf(config.timeout_config(timeout).build());
    let error = Queue::new(client, &format!("{url}/0/q"))
        .send(&[message("x")])
        .await
        .expect_err("silence");
    assert!(matches!(error, SqsError::Unavailable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn useless_connections_to_the_queue_are_replaced() {
    with(false, |environment| async move {
        let port = sqs_endpoint()
            .rsplit_once(':')
            .and_then(|(_, port)| port.trim_end_matches('/').parse().ok())
            .expect("a port");
        let relay = Relay::start(port).await;
        let endpoint = format!("http://127.0.0.1:{}", relay.port());
        let access = Reader::new([
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_SQS", &endpoint),
        ]);
        let access = access
            .finish(|| SqsAccess::read(&access))
            .expect("complete");
        // The default of stream-bridge.
        let bound = Duration::from_secs(5);
        let queue = Queue::connect(&environment.url, &access, bound).await;
        let sent = async |what: &str| {
            let began = Instant::now();
            let sent = queue.send(&[message(what)]).await;
            assert_eq!(sent.expect(what), [Sent::Accepted], "{what}");
            assert!(began.elapsed() < bound, "{what}: {:?}", began.elapsed());
        };
        sent("first").await;
        relay.silence().await;
        sent("silent").await;
        relay.disconnect().await;
        sent("closed").await;
        relay.reset().await;
        sent("reset").await;

        // Accepts connections and answers nothing, as a server that is stopped by SIGSTOP.
        let frozen = TcpListener::bind("127.0.0.1:0").expect("a free port");
        relay.redirect(frozen.local_addr().expect("an address").port());
        relay.silence().await;
        let began = Instant::now();
        let error = queue.send(&[message("frozen")]).await.expect_err("frozen");
        let took = began.elapsed();
        assert!(matches!(error, SqsError::Unavailable(_)), "{error}");
        assert!(took < bound + LATE, "{took:?}");
        relay.redirect(port);
        sent("back").await;
    })
    .await;
}
