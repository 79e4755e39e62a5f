//! A payment provider on the loopback interface: it checks signatures, gives the answer that a test
//! has set, and returns money once for each key.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use shared::signature;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Key of the signatures.
pub(crate) const KEY: &str = "the key of refunds";

/// An answer: status and body.
type Answer = (u16, Value);

/// What the provider has received, and will answer.
#[derive(Debug, Default)]
struct Book {
    /// Answers that come before those that refund.
    answers: VecDeque<Answer>,
    /// Cents returned, by key.
    returned: BTreeMap<String, i64>,
    /// Keys and bodies of all requests.
    requests: Vec<(String, Value)>,
}

/// The provider. Clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    port: u16,
    book: Arc<Mutex<Book>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let provider = Self {
            port: listener.local_addr().expect("bound").port(),
            book: Arc::default(),
        };
        let own = provider.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(own.clone().serve(stream));
            }
        });
        provider
    }

    /// Variables of a closer that sends refunds here.
    pub(crate) fn variables(&self) -> [(String, String); 2] {
        let url = format!("http://127.0.0.1:{}/v1/refunds", self.port);
        [("REFUND_URL", url), ("REFUND_SECRET", KEY.to_owned())]
            .map(|(name, value)| (name.to_owned(), value))
    }

    /// Answers one of the next requests with this.
    pub(crate) fn will_answer(&self, status: u16, body: Value) {
        self.book().answers.push_back((status, body));
    }

    /// Cents returned, ascending.
    pub(crate) fn returned(&self) -> Vec<i64> {
        let mut returned: Vec<_> = self.book().returned.values().copied().collect();
        returned.sort_unstable();
        returned
    }

    /// Keys and bodies of all requests.
    pub(crate) fn requests(&self) -> Vec<(String, Value)> {
        self.book().requests.clone()
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().expect("no panic")
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Some((head, body)) = request(&mut stream).await {
            let (status, answer) = self.answer(&head, &body);
            let answer = answer.to_string();
            let length = answer.len();
            let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}");
            if stream.write_all(text.as_bytes()).await.is_err() {
                break;
            }
        }
    }

    fn answer(&self, head: &HashMap<String, String>, body: &[u8]) -> Answer {
        let header = |name: &str| head.get(name).map(String::as_str);
        let now = SystemTime::UNIX_EPOCH
            .elapsed()
            .expect("after 1970")
            .as_secs();
        let signed = signature::check(
            &[KEY.as_bytes()],
            header("x-payment-timestamp"),
            header("x-payment-signature"),
            body,
            now,
            Duration::from_mins(5),
        );
        if let Err(error) = signed {
            return (401, json!({ "error": error.to_string() }));
        }
        let key = header("idempotency-key").expect("a key").to_owned();
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let mut book = self.book();
        book.requests.push((key.clone(), body.clone()));
        if let Some(answer) = book.answers.pop_front() {
            return answer;
        }
        let cents = body["amount_cents"].as_i64().expect("an amount");
        book.returned.insert(key.clone(), cents);
        (
            200,
            json!({ "status": "refunded", "reference": format!("re-{key}") }),
        )
    }
}

/// Headers and body of the next request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream) -> Option<(HashMap<String, String>, Vec<u8>)> {
    let mut read = Vec::new();
    loop {
        if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).into_owned();
            assert!(head.starts_with("POST /v1/refunds HTTP/1.1"), "{head}");
            let headers: HashMap<_, _> = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let length: usize = headers["content-length"].parse().expect("a length");
            if read.len() >= end + 4 + length {
                return Some((headers, read[end + 4..].to_vec()));
            }
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}
