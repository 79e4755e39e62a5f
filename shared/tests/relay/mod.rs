//! A TCP relay in front of a server: it can lead elsewhere, and fall silent without closing anything.
//!
//! Ends with the runtime of its test.
#![allow(dead_code, reason = "each test program uses its part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Relay {
    address: SocketAddr,
    leads_to: Arc<AtomicU16>,
    silenced: watch::Sender<()>,
}

impl Relay {
    /// In front of a port of this machine. Needs a runtime that goes on while the test waits.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let leads_to = Arc::new(AtomicU16::new(port));
        let silenced = watch::Sender::new(());
        let target = leads_to.clone();
        let silence = silenced.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(
                    client,
                    target.load(Ordering::SeqCst),
                    silence.subscribe(),
                ));
            }
        });
        Self {
            address,
            leads_to,
            silenced,
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// New connections lead to another server; those that exist stay where they are.
    pub(crate) fn lead_to(&self, port: u16) {
        self.leads_to.store(port, Ordering::SeqCst);
    }

    /// Connections that exist carry nothing any more, and are not closed. New ones work.
    pub(crate) fn silence(&self) {
        self.silenced.send_replace(());
    }
}

async fn carry(mut client: TcpStream, port: u16, mut silenced: watch::Receiver<()>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = silenced.changed() => std::future::pending().await,
    }
}

/// A server that answers every command with this error. Its port.
pub(crate) async fn refusing(error: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(refuse(client, error));
        }
    });
    port
}

/// One answer for each command: an array of bulk strings, whose first line begins with `*`.
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
