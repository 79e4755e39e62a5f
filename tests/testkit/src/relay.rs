//! A TCP relay in front of a server: it can redirect new connections, and silence or close existing
//! ones.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to existing connections.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Silence,
    Reset,
    Close,
}

/// Tells the connections that were accepted since the last cut. Each drops its receiver when it has
/// obeyed.
type Connections = Arc<Mutex<watch::Sender<Option<Cut>>>>;

/// A relay. It ends with the tokio runtime of its test.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: Arc<AtomicU16>,
    accepted: Arc<AtomicUsize>,
    connections: Connections,
}

impl Relay {
    /// Listens on a free port, in front of a port of this machine. Needs a runtime that makes
    /// progress while the test waits.
    pub async fn start(port: u16) -> Self {
        let listener = listener().await;
        let relay = Self {
            address: listener.local_addr().expect("an address"),
            target: Arc::new(AtomicU16::new(port)),
            accepted: Arc::default(),
            connections: Connections::default(),
        };
        let (target, accepted) = (relay.target.clone(), relay.accepted.clone());
        let connections = relay.connections.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let cut = connections.lock().expect("no panic").subscribe();
                accepted.fetch_add(1, Ordering::SeqCst);
                let port = target.load(Ordering::SeqCst);
                tokio::spawn(forward(client, port, cut));
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

    /// Existing connections stay open but forward nothing after the return. New ones work.
    pub async fn silence(&self) {
        self.cut(Cut::Silence).await;
    }

    /// Resets existing connections (TCP RST) before the return. New ones work.
    pub async fn reset(&self) {
        self.cut(Cut::Reset).await;
    }

    /// Closes existing connections before the return. New ones work.
    pub async fn disconnect(&self) {
        self.cut(Cut::Close).await;
    }

    async fn cut(&self, cut: Cut) {
        let existing = std::mem::take(&mut *self.connections.lock().expect("no panic"));
        existing.send_replace(Some(cut));
        existing.closed().await;
    }
}

async fn forward(mut client: TcpStream, port: u16, mut cut: watch::Receiver<Option<Cut>>) {
    let mut server = None;
    let forwarding = async {
        let connected = TcpStream::connect(("127.0.0.1", port)).await?;
        copy_bidirectional(&mut client, server.insert(connected)).await
    };
    tokio::select! {
        biased;
        _ = cut.changed() => {}
        _ = forwarding => return,
    }
    let sockets = [Some(client), server].into_iter().flatten();
    let chosen = *cut.borrow();
    match chosen {
        Some(Cut::Silence) => {
            drop(cut);
            std::future::pending::<()>().await;
        }
        Some(Cut::Reset) => {
            for socket in sockets {
                socket.set_zero_linger().expect("an open socket");
            }
        }
        Some(Cut::Close) | None => drop(sockets.collect::<Vec<_>>()),
    }
}

/// Starts a server that answers every Redis command with this error. Returns its port.
pub async fn refusing_redis(error: &'static str) -> u16 {
    let listener = listener().await;
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(refuse(client, error));
        }
    });
    port
}

/// Starts a server that answers every HTTP request with this status and this JSON document. Returns
/// its port.
pub async fn refusing_http(status: u16, document: &'static str) -> u16 {
    let listener = listener().await;
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(refuse_requests(client, status, document));
        }
    });
    port
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

/// One answer per command: an array of bulk strings, whose first line begins with `*`.
async fn refuse(client: TcpStream, error: &str) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut lines = BufReader::new(reader).split(b'\n');
    while let Some(line) = lines.next_segment().await? {
        if line.first() == Some(&b'*') {
            writer.write_all(format!("-{error}\r\n").as_bytes()).await?;
        }
    }
    Ok(())
}

/// One answer per request: a head that ends with an empty line, and a body of its length.
async fn refuse_requests(client: TcpStream, status: u16, document: &str) -> std::io::Result<()> {
    let (reader, mut writer) = client.into_split();
    let mut reader = BufReader::new(reader);
    let mut line = String::new();
    let mut body = 0;
    while reader.read_line(&mut line).await? > 0 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            body = value.trim().parse().unwrap_or_default();
        }
        if line.trim_end().is_empty() {
            reader.read_exact(&mut vec![0; body]).await?;
            let length = document.len();
            let head = format!(
                "HTTP/1.1 {status} Refused\r\ncontent-type: application/x-amz-json-1.0\r\n\
                 content-length: {length}\r\n\r\n"
            );
            writer.write_all((head + document).as_bytes()).await?;
            body = 0;
        }
        line.clear();
    }
    Ok(())
}
