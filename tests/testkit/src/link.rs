//! A TCP link to a server whose condition changes while it is used: cut, held, delayed, or
//! forgotten on the way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// Bytes of one read.
const CHUNK: usize = 64 * 1024;
/// How long a forgotten connection stays open without a byte: then the keepalive of its ends would
/// have closed it.
const FORGOTTEN: Duration = Duration::from_secs(20);

/// What a link does with connections, until it is changed.
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

/// A link in front of a port of this machine. It ends with the tokio runtime of its test.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    target: Arc<AtomicU16>,
    condition: watch::Sender<Condition>,
    forgotten: watch::Sender<()>,
}

impl Link {
    /// Listens on a free port.
    pub async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let target = Arc::new(AtomicU16::new(port));
        let condition = watch::Sender::new(Condition::Open);
        let forgotten = watch::Sender::new(());
        let (current, changes, forget) = (target.clone(), condition.clone(), forgotten.clone());
        tokio::spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else {
                    // Out of file descriptors, say: others are closed meanwhile.
                    tokio::task::yield_now().await;
                    continue;
                };
                let port = current.load(Ordering::SeqCst);
                let (condition, forget) = (changes.subscribe(), forget.subscribe());
                tokio::spawn(connection(client, port, condition, forget));
            }
        });
        Self {
            address,
            target,
            condition,
            forgotten,
        }
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Leads new connections to another port. Existing ones are unchanged.
    pub fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }

    /// Changes what it does with every connection.
    pub fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }

    /// Existing connections stay open and carry nothing any more, as after the loss of a firewall's
    /// state. New ones work.
    pub fn forget(&self) {
        self.forgotten.send_replace(());
    }
}

async fn connection(
    client: TcpStream,
    port: u16,
    mut condition: watch::Receiver<Condition>,
    mut forgotten: watch::Receiver<()>,
) {
    if *condition.borrow_and_update() == Condition::Cut {
        reset(&client);
        return;
    }
    let Some(server) = connect(port).await else {
        reset(&client);
        return;
    };
    for socket in [&client, &server] {
        // A socket that its peer has closed already has no options.
        let _ = socket.set_nodelay(true);
    }
    let cut = condition.clone();
    let (mut client, mut server) = (client, server);
    let is_cut = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let both = async {
            tokio::join!(
                forward(from_client, to_server, condition.clone()),
                forward(from_server, to_client, condition)
            )
        };
        tokio::select! {
            _ = both => false,
            () = until_cut(cut) => true,
            _ = forgotten.changed() => {
                sleep(FORGOTTEN).await;
                true
            }
        }
    };
    if is_cut {
        reset(&client);
        reset(&server);
    }
}

/// While nothing listens on a port of the ephemeral range, a connection to it may be given this very
/// port as its own, and then is connected to itself: the server could not start again.
async fn connect(port: u16) -> Option<TcpStream> {
    let server = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let own = server.local_addr().ok()?.port();
    (own != port).then_some(server)
}

/// Closes with a reset (RST) when it is dropped, instead of an orderly end.
fn reset(socket: &TcpStream) {
    let _ = socket.set_zero_linger();
}

async fn until_cut(mut condition: watch::Receiver<Condition>) {
    // The sender lives as long as the link; without it no condition changes any more.
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

    /// A server that sends back what it receives, and a link to it.
    async fn echo() -> Link {
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
        Link::start(port).await
    }

    async fn client_of(link: &Link) -> TcpStream {
        TcpStream::connect(link.address).await.unwrap()
    }

    async fn round(socket: &mut TcpStream) -> std::io::Result<u8> {
        socket.write_all(&[7]).await?;
        socket.read_u8().await
    }

    #[tokio::test]
    async fn what_is_held_arrives_when_the_link_opens() {
        let link = echo().await;
        let mut socket = client_of(&link).await;
        assert_eq!(round(&mut socket).await.unwrap(), 7);
        link.set(Condition::Held);
        let held = timeout(Duration::from_millis(50), round(&mut socket)).await;
        assert!(held.is_err(), "nothing comes back");
        link.set(Condition::Open);
        assert_eq!(socket.read_u8().await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_cut_resets_old_and_new_connections() {
        let link = echo().await;
        let mut old = client_of(&link).await;
        assert_eq!(round(&mut old).await.unwrap(), 7);
        link.set(Condition::Cut);
        assert!(old.read_u8().await.is_err());
        let mut new = client_of(&link).await;
        assert!(round(&mut new).await.is_err());
        link.set(Condition::Open);
        assert_eq!(round(&mut client_of(&link).await).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_forgotten_connection_is_silent_and_a_new_one_works() {
        let link = echo().await;
        let mut old = client_of(&link).await;
        assert_eq!(round(&mut old).await.unwrap(), 7);
        link.forget();
        let mut new = client_of(&link).await;
        assert_eq!(round(&mut new).await.unwrap(), 7);
        let silent = timeout(Duration::from_millis(50), round(&mut old)).await;
        assert!(silent.is_err(), "nothing comes back");
    }

    #[tokio::test]
    async fn a_delay_is_added_in_both_directions() {
        let link = echo().await;
        let mut socket = client_of(&link).await;
        let delay = Duration::from_millis(20);
        link.set(Condition::Delayed(delay));
        let began = Instant::now();
        assert_eq!(round(&mut socket).await.unwrap(), 7);
        assert!(began.elapsed() >= 2 * delay);
    }
}
