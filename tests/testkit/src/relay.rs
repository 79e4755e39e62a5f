//! A TCP relay in front of a server of this machine. It redirects new connections, ends or silences
//! existing ones, and can be held, delayed or cut while it is used.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// Bytes of one read.
const CHUNK: usize = 64 * 1024;
/// How long a silent connection stays open: then the keepalive of its ends would have closed it.
const SILENT: Duration = Duration::from_secs(20);
/// Pause after a connection that could not be accepted. The cause, no file descriptor as a rule,
/// stays for a while, and the listener is ready all the time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a relay does with connections, until it is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Forwards at once.
    Open,
    /// Forwards each piece this much later, up to twice as late for what follows it closely.
    Delayed(Duration),
    /// Holds every byte back, also of new connections, and forwards it afterwards: a partition that
    /// heals before a timeout.
    Held,
    /// Resets existing and new connections.
    Cut,
}

/// What happens to existing connections.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Silence,
    Reset,
    Close,
}

/// Interrupts the connections that were accepted since the last interruption. Each drops its
/// receiver when it is interrupted.
type Connections = Arc<Mutex<watch::Sender<Option<Interruption>>>>;

/// A relay. It ends with the tokio runtime of its test.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: Arc<AtomicU16>,
    accepted: Arc<AtomicUsize>,
    condition: watch::Sender<Condition>,
    connections: Connections,
}

impl Relay {
    /// Listens on a free port, in front of a port of this machine. Needs a runtime that makes
    /// progress while the test waits.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let relay = Self {
            address: listener.local_addr().expect("an address"),
            target: Arc::new(AtomicU16::new(port)),
            accepted: Arc::default(),
            condition: watch::Sender::new(Condition::Open),
            connections: Connections::default(),
        };
        let (target, accepted) = (relay.target.clone(), relay.accepted.clone());
        let (condition, connections) = (relay.condition.clone(), relay.connections.clone());
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let interrupted = connections.lock().expect("no panic").subscribe();
                accepted.fetch_add(1, Ordering::SeqCst);
                let port = target.load(Ordering::SeqCst);
                tokio::spawn(connection(client, port, condition.subscribe(), interrupted));
            }
        });
        relay
    }

    /// Connections that were accepted since the start.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Directs new connections to another port. Existing ones are unchanged.
    pub fn redirect(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }

    /// Changes what it does with every connection.
    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }

    /// Existing connections stay open but forward nothing after the return, as after the loss of a
    /// firewall's state. New ones work.
    pub async fn silence(&self) {
        self.interrupt(Interruption::Silence).await;
    }

    /// Resets existing connections (TCP RST) before the return. New ones work.
    pub async fn reset(&self) {
        self.interrupt(Interruption::Reset).await;
    }

    /// Closes existing connections before the return. New ones work.
    pub async fn disconnect(&self) {
        self.interrupt(Interruption::Close).await;
    }

    async fn interrupt(&self, how: Interruption) {
        let existing = std::mem::take(&mut *self.connections.lock().expect("no panic"));
        existing.send_replace(Some(how));
        existing.closed().await;
    }
}

async fn connection(
    mut client: TcpStream,
    port: u16,
    mut condition: watch::Receiver<Condition>,
    mut interrupted: watch::Receiver<Option<Interruption>>,
) {
    if *condition.borrow_and_update() == Condition::Cut {
        return reset([client]);
    }
    let Some(mut server) = connect(port).await else {
        return reset([client]);
    };
    for socket in [&client, &server] {
        // A socket that its peer has closed already has no options.
        let _ = socket.set_nodelay(true);
    }
    let cut = condition.clone();
    let how = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::try_join!(
                forward(from_client, to_server, condition.clone()),
                forward(from_server, to_client, condition)
            )
        };
        tokio::select! {
            biased;
            _ = interrupted.changed() => *interrupted.borrow(),
            () = until_cut(cut) => Some(Interruption::Reset),
            _ = both => Some(Interruption::Close),
        }
    };
    match how {
        Some(Interruption::Silence) => {
            drop(interrupted);
            sleep(SILENT).await;
            reset([client, server]);
        }
        Some(Interruption::Reset) => reset([client, server]),
        Some(Interruption::Close) | None => {}
    }
}

/// While nothing listens on a port of the ephemeral range, a connection to it may be given this very
/// port as its own, and then is connected to itself: the server could not start again.
async fn connect(port: u16) -> Option<TcpStream> {
    let server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let own = server.local_addr().ok()?.port();
    (own != port).then_some(server)
}

/// Closes with a reset (RST) instead of an orderly end.
fn reset<const N: usize>(sockets: [TcpStream; N]) {
    for socket in sockets {
        // A socket that its peer has closed already has no options.
        let _ = socket.set_zero_linger();
    }
}

async fn until_cut(mut condition: watch::Receiver<Condition>) {
    // The sender lives as long as the relay; without it no condition changes any more.
    if condition
        .wait_for(|now| *now == Condition::Cut)
        .await
        .is_err()
    {
        std::future::pending::<()>().await;
    }
}

/// Forwards one direction until its end, and passes the end on.
async fn forward(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut condition: watch::Receiver<Condition>,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await?;
        let now = condition.wait_for(|now| *now != Condition::Held).await;
        let now = now.map_or(Condition::Open, |now| *now);
        if let Condition::Delayed(by) = now {
            sleep(by).await;
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&chunk[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{Instant, timeout};

    /// A server that sends back what it receives, and a relay to it.
    async fn echo() -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        Relay::start(port).await
    }

    async fn client_of(relay: &Relay) -> TcpStream {
        TcpStream::connect(relay.address).await.unwrap()
    }

    async fn round(socket: &mut TcpStream) -> std::io::Result<u8> {
        socket.write_all(&[7]).await?;
        socket.read_u8().await
    }

    #[tokio::test]
    async fn what_is_held_arrives_when_the_relay_opens() {
        let relay = echo().await;
        let mut socket = client_of(&relay).await;
        assert_eq!(round(&mut socket).await.unwrap(), 7);
        relay.set(Condition::Held);
        let held = timeout(Duration::from_millis(50), round(&mut socket)).await;
        assert!(held.is_err(), "nothing comes back");
        relay.set(Condition::Open);
        assert_eq!(socket.read_u8().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_cut_resets_old_and_new_connections() {
        let relay = echo().await;
        let mut old = client_of(&relay).await;
        assert_eq!(round(&mut old).await.unwrap(), 7);
        relay.set(Condition::Cut);
        assert!(old.read_u8().await.is_err());
        let mut new = client_of(&relay).await;
        assert!(round(&mut new).await.is_err());
        relay.set(Condition::Open);
        assert_eq!(round(&mut client_of(&relay).await).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_silenced_connection_is_silent_and_a_new_one_works() {
        let relay = echo().await;
        let mut old = client_of(&relay).await;
        assert_eq!(round(&mut old).await.unwrap(), 7);
        relay.silence().await;
        let mut new = client_of(&relay).await;
        assert_eq!(round(&mut new).await.unwrap(), 7);
        let silent = timeout(Duration::from_millis(50), round(&mut old)).await;
        assert!(silent.is_err(), "nothing comes back");
    }

    #[tokio::test]
    async fn a_delay_is_added_in_both_directions() {
        let relay = echo().await;
        let mut socket = client_of(&relay).await;
        let delay = Duration::from_millis(20);
        relay.set(Condition::Delayed(delay));
        let began = Instant::now();
        assert_eq!(round(&mut socket).await.unwrap(), 7);
        assert!(began.elapsed() >= 2 * delay);
    }
}
