//! An address that leads to one server after another, as the DNS name of a managed database does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::locations::Servers;

/// A relay in front of the database. It ends with the tokio runtime.
#[derive(Debug)]
pub struct MovingAddress {
    target: Arc<AtomicU16>,
}

impl MovingAddress {
    /// Listens on a free port, in front of the database of `servers`, whose address becomes the one
    /// of the relay.
    pub async fn before(servers: &mut Servers) -> Result<Self> {
        let database = servers.database()?.get_port();
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.context("no free port")?;
        let own = listener.local_addr()?.port();
        let url = &servers.database_url;
        let relayed = url.replace(&format!(":{database}/"), &format!(":{own}/"));
        ensure!(relayed != *url, "DATABASE_URL names no port");
        servers.database_url = relayed;
        let target = Arc::new(AtomicU16::new(database));
        tokio::spawn(relay(listener, target.clone()));
        Ok(Self { target })
    }

    /// Leads new connections to another port of this machine.
    pub fn lead_to(&self, port: u16) {
        self.target.store(port, Ordering::SeqCst);
    }
}

async fn relay(listener: TcpListener, target: Arc<AtomicU16>) {
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            // Out of file descriptors, say: others are closed meanwhile.
            tokio::task::yield_now().await;
            continue;
        };
        let port = target.load(Ordering::SeqCst);
        tokio::spawn(async move {
            // A refused or broken connection closes the client's.
            let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
            client.set_nodelay(true)?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}
