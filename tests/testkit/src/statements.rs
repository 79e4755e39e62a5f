//! A relay in front of Postgres that counts what its clients send, by the messages of the protocol
//! (<https://www.postgresql.org/docs/current/protocol-message-formats.html>).

use std::net::SocketAddr;
use std::ops::Sub;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// A message without a type is the first of a connection: `SSLRequest`, `GSSENCRequest`,
/// `CancelRequest` or `StartupMessage`. Only the last one has a version of the protocol.
const PROTOCOL_3: i32 = 3 << 16;

/// What clients have sent since a relay started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatementCounts {
    /// Statements executed, `BEGIN` and `COMMIT` included.
    pub statements: u64,
    /// Statements prepared.
    pub prepared: u64,
    /// Waits for an answer: each costs a client and the server a wake-up.
    pub round_trips: u64,
}

impl Sub for StatementCounts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            statements: self.statements - earlier.statements,
            prepared: self.prepared - earlier.prepared,
            round_trips: self.round_trips - earlier.round_trips,
        }
    }
}

#[derive(Debug, Default)]
struct Counters {
    statements: AtomicU64,
    prepared: AtomicU64,
    round_trips: AtomicU64,
}

impl Counters {
    fn count(&self, message: u8) {
        let counters: &[&AtomicU64] = match message {
            b'Q' => &[&self.statements, &self.round_trips],
            b'E' => &[&self.statements],
            b'P' => &[&self.prepared],
            b'S' => &[&self.round_trips],
            _ => &[],
        };
        for counter in counters {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A relay. It ends with the tokio runtime of its test.
#[derive(Debug)]
pub struct StatementCounter {
    address: SocketAddr,
    counters: Arc<Counters>,
}

impl StatementCounter {
    /// Listens on a free port, in front of a Postgres on a port of this machine.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let counters = Arc::new(Counters::default());
        let counting = counters.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, port, counting.clone()));
            }
        });
        Self { address, counters }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was sent until now. Whatever has been answered is counted.
    pub fn counts(&self) -> StatementCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        StatementCounts {
            statements: read(&self.counters.statements),
            prepared: read(&self.counters.prepared),
            round_trips: read(&self.counters.round_trips),
        }
    }
}

async fn relay(client: TcpStream, port: u16, counters: Arc<Counters>) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = server.into_split();
    tokio::select! {
        sent = count(from_client, to_server, &counters) => sent,
        answered = copy(&mut from_server, &mut to_client) => answered.map(drop),
    }
}

/// Forwards what a client sends, and counts its messages before the server receives them.
async fn count(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    counters: &Counters,
) -> std::io::Result<()> {
    let mut started = false;
    let mut pending = Vec::new();
    while client.read_buf(&mut pending).await? > 0 {
        let mut rest = pending.as_slice();
        while let Some((message, length)) = message(rest, started) {
            match message {
                Message::First(code) => started = code == PROTOCOL_3,
                Message::Typed(kind) => counters.count(kind),
            }
            rest = &rest[length..];
        }
        let complete = pending.len() - rest.len();
        server.write_all(&pending[..complete]).await?;
        pending.drain(..complete);
    }
    Ok(())
}

enum Message {
    First(i32),
    Typed(u8),
}

/// The first message of some bytes and its length, if it is complete.
fn message(bytes: &[u8], started: bool) -> Option<(Message, usize)> {
    let number = |at: usize| Some(i32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let kind = usize::from(started);
    let length = kind + usize::try_from(number(kind)?).ok()?;
    let found = if started {
        Message::Typed(*bytes.first()?)
    } else {
        Message::First(number(4)?)
    };
    (bytes.len() >= length).then_some((found, length))
}
