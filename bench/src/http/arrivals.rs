//! An open loop: requests at a constant rate, at times that are fixed beforehand.
//!
//! A latency counts from the time at which its request was to be sent, so a system that stalls is
//! charged for every request that had to wait for it (no coordinated omission). One thread keeps
//! the time: it issues a permit for each request at its time. Whichever connection is free takes
//! the next one, so requests that find no free connection wait, and their waiting counts.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::responses::{Responses, accepts};
use super::wire::Connection;

/// Maximum time that a request waits for its sending, unless another is given.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// The times of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// Requests per second.
    pub rate: u32,
    /// Time before the first measured request, in which requests come at the same rate.
    pub warm_up: Duration,
    /// Duration of the measured requests.
    pub span: Duration,
    /// Requests in flight at the same time at most.
    pub connections: usize,
    /// A system is overloaded when a request waits this long for its sending. Then no more are
    /// issued.
    pub patience: Duration,
}

/// What an open loop has measured.
#[derive(Debug)]
pub(crate) struct Arrived {
    /// The responses to the measured requests. Their latencies count from the intended times.
    pub measured: Responses,
    /// Accepted requests, the warm-up included.
    pub accepted: u64,
    /// Measured requests that were not sent, since the system was overloaded.
    pub unsent: u64,
    /// Seconds from the first measured request until the last response.
    pub seconds: f64,
}

impl Arrived {
    /// Milliseconds within which this part of the measured requests was accepted. A request that
    /// was refused or not sent has waited without end, so that refusing does not shorten latencies.
    pub(crate) fn milliseconds(&self, quantile: f64) -> f64 {
        let accepted = self.measured.accepted() as f64;
        let all = accepted + (self.measured.refused + self.unsent) as f64;
        let among_accepted = quantile * all / accepted;
        if among_accepted <= 1.0 {
            self.measured.milliseconds(among_accepted)
        } else {
            f64::INFINITY
        }
    }
}

impl Schedule {
    /// The time of a request, from the start.
    fn due(&self, n: u64) -> Duration {
        Duration::from_nanos((u128::from(n) * 1_000_000_000 / u128::from(self.rate)) as u64)
    }

    /// Number of requests until a time.
    fn until(&self, time: Duration) -> u64 {
        (time.as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64
    }
}

/// What clock and connections share.
struct Shared {
    schedule: Schedule,
    start: Instant,
    permits: Semaphore,
    /// Number of the next request.
    next: AtomicU64,
    /// Number of requests; lower once the system is overloaded.
    issued: AtomicU64,
    overloaded: AtomicBool,
}

/// Sends `requests` in rotation to `server`.
pub(crate) async fn arrive(
    server: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    schedule: Schedule,
) -> Result<Arrived> {
    let all = schedule.until(schedule.warm_up + schedule.span);
    let first = schedule.until(schedule.warm_up);
    let shared = Arc::new(Shared {
        schedule,
        start: Instant::now() + Duration::from_millis(20), // all connections wait by then
        permits: Semaphore::new(0),
        next: AtomicU64::new(0),
        issued: AtomicU64::new(all),
        overloaded: AtomicBool::new(false),
    });
    let mut connections = JoinSet::new();
    for _ in 0..schedule.connections {
        let (shared, requests) = (shared.clone(), requests.clone());
        connections.spawn(send(server, requests, first, shared));
    }
    let clock = thread::spawn({
        let shared = shared.clone();
        move || keep_time(&shared)
    });
    let (mut measured, mut accepted) = (Responses::none()?, 0);
    for sent in connections.join_all().await {
        let (responses, before) = sent?;
        accepted += responses.accepted() + before;
        measured.add(responses)?;
    }
    let seconds = shared.start.elapsed().as_secs_f64() - schedule.warm_up.as_secs_f64();
    clock
        .join()
        .map_err(|_| anyhow!("the thread that keeps the time has panicked"))?;
    let issued = shared.issued.load(Ordering::SeqCst);
    Ok(Arrived {
        measured,
        accepted,
        unsent: all - issued.max(first),
        seconds: seconds.max(f64::EPSILON),
    })
}

/// Issues a permit for each request at its time, then one for each connection, by which it ends.
fn keep_time(shared: &Shared) {
    let all = shared.issued.load(Ordering::SeqCst);
    for n in 0..all {
        let due = shared.start + shared.schedule.due(n);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if shared.overloaded.load(Ordering::Relaxed) {
            shared.issued.store(n, Ordering::SeqCst);
            break;
        }
        shared.permits.add_permits(1);
    }
    shared.permits.add_permits(shared.schedule.connections);
}

/// The requests of one connection. Returns the responses to the measured ones, and how many were
/// accepted before.
async fn send(
    server: SocketAddr,
    requests: Arc<[Vec<u8>]>,
    first: u64,
    shared: Arc<Shared>,
) -> Result<(Responses, u64)> {
    let mut connection = Connection::to(server);
    let mut responses = Responses::none()?;
    let mut before = 0;
    loop {
        shared.permits.acquire().await?.forget();
        let n = shared.next.fetch_add(1, Ordering::SeqCst);
        if n >= shared.issued.load(Ordering::SeqCst) {
            return Ok((responses, before));
        }
        let due = shared.start + shared.schedule.due(n);
        if due.elapsed() > shared.schedule.patience {
            shared.overloaded.store(true, Ordering::Relaxed);
        }
        let request = &requests[n as usize % requests.len()];
        let answer = connection.exchange(request).await;
        let took = due.elapsed();
        match answer {
            Ok(answer) if accepts(answer.status) && n < first => before += 1,
            answer if n >= first => responses.note(&answer, took)?,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    const ANSWER: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

    /// A server that serves one connection at a time, so that a held answer holds all requests.
    async fn server(hold_at: u32, hold: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                serve(stream, hold_at, hold).await;
            }
        });
        address
    }

    async fn serve(mut stream: TcpStream, hold_at: u32, hold: Duration) {
        let mut request = [0; 1];
        let mut count = 0;
        while stream.read_exact(&mut request).await.is_ok() {
            if count == hold_at {
                tokio::time::sleep(hold).await;
            }
            count += 1;
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }

    fn schedule(rate: u32, warm_up_ms: u64, span_ms: u64) -> Schedule {
        Schedule {
            rate,
            warm_up: Duration::from_millis(warm_up_ms),
            span: Duration::from_millis(span_ms),
            connections: 1,
            patience: Duration::from_mins(1),
        }
    }

    #[test]
    fn times_follow_from_the_rate_alone() {
        let schedule = schedule(2_000, 1_000, 500);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(3), Duration::from_micros(1_500));
        assert_eq!(schedule.until(schedule.warm_up), 2_000);
        assert_eq!(schedule.until(schedule.warm_up + schedule.span), 3_000);
    }

    #[tokio::test]
    async fn every_request_of_the_schedule_is_sent_and_counted_once() {
        let address = server(u32::MAX, Duration::ZERO).await;
        let requests: Arc<[Vec<u8>]> = [vec![b'x']].into();
        let schedule = schedule(1_000, 50, 200);
        let arrived = arrive(address, requests, schedule).await.expect("run");
        assert_eq!(arrived.measured.accepted(), 200);
        assert_eq!(arrived.accepted, 250);
        assert_eq!((arrived.unsent, arrived.measured.refused), (0, 0));
    }

    #[tokio::test]
    async fn requests_behind_a_held_answer_are_charged_their_waiting() {
        let hold = Duration::from_millis(400);
        let address = server(10, hold).await;
        let requests: Arc<[Vec<u8>]> = [vec![b'x']].into();
        let schedule = schedule(500, 0, 600);
        let arrived = arrive(address, requests, schedule).await.expect("run");
        assert_eq!(arrived.measured.accepted(), 300);
        // 200 requests are due while one answer is held for 400 ms: half of them wait longer than
        // 200 ms, although the server answers each of them at once when it receives it.
        let waited = arrived
            .measured
            .latencies_us
            .count_between(200_000, u64::MAX);
        assert!(waited >= 100, "{waited} requests waited");
    }

    #[test]
    fn refused_and_unsent_requests_wait_without_end() {
        let mut measured = Responses::none().expect("a histogram");
        measured.latencies_us.record_n(1_000, 90).expect("counted");
        measured.latencies_us.record_n(9_000, 6).expect("counted");
        measured.refused = 1;
        let arrived = Arrived {
            measured,
            accepted: 96,
            unsent: 3,
            seconds: 1.0,
        };
        let whole = |quantile| arrived.milliseconds(quantile).round() as u64;
        assert_eq!([whole(0.5), whole(0.9), whole(0.95)], [1, 1, 9]);
        assert!(arrived.milliseconds(0.99).is_infinite());
    }

    #[tokio::test]
    async fn an_overloaded_system_ends_the_schedule() {
        let address = server(5, Duration::from_millis(300)).await;
        let requests: Arc<[Vec<u8>]> = [vec![b'x']].into();
        let schedule = Schedule {
            patience: Duration::from_millis(100),
            ..schedule(50, 0, 60_000)
        };
        let arrived = arrive(address, requests, schedule).await.expect("run");
        assert!(arrived.unsent > 0, "{arrived:?}");
        assert_eq!(arrived.measured.accepted() + arrived.unsent, 3_000);
    }
}
