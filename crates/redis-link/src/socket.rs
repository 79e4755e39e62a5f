//! Sockets to a server, with keepalive, and with TLS if the link has it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select_ok;
use redis::RedisError;
use redis::aio::AsyncStream;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::address::Address;
use super::connect::{Access, ConnectError};
use super::{probe, tls};

/// The kernel closes a connection whose peer acknowledges nothing for about 25 s. This covers
/// connections that only listen; commands are bounded by the response timeout.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);
/// Unacknowledged data of this age closes the connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// A connected socket, with TLS if the link has it.
pub(super) type Stream = Pin<Box<dyn AsyncStream + Send + Sync>>;

/// Connects, and verifies the server's certificate.
pub(super) async fn open(access: &Access, address: &Address) -> Result<Stream, ConnectError> {
    match (address, &access.tls) {
        (Address::Unix(path), _) => {
            let socket = UnixStream::connect(path).await.map_err(RedisError::from)?;
            Ok(Box::pin(socket))
        }
        (Address::Tcp { host, port }, None) => {
            let socket = tcp(host, *port).await.map_err(RedisError::from)?;
            Ok(Box::pin(socket))
        }
        (Address::Tcp { host, port }, Some(configuration)) => {
            let socket = tcp(host, *port).await.map_err(RedisError::from)?;
            let secured = secure(access.timeout, configuration, address, host, socket).await;
            secured.map_err(|error| match tls::reason(&error) {
                Some(reason) => access.refusal(&address.to_string(), reason).into(),
                None => RedisError::from(error).into(),
            })
        }
    }
}

/// The first of the host's addresses that accepts.
pub(super) async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let attempts: Vec<_> = lookup_host((host, port))
        .await?
        .map(|address| Box::pin(TcpStream::connect(address)))
        .collect();
    if attempts.is_empty() {
        let nothing = format!("{host} has no address");
        return Err(io::Error::new(io::ErrorKind::NotFound, nothing));
    }
    let (socket, _) = select_ok(attempts).await?;
    // Small commands are not held back until the server has acknowledged earlier ones.
    socket.set_nodelay(true)?;
    let settings = SockRef::from(&socket);
    settings.set_tcp_keepalive(&KEEPALIVE)?;
    #[cfg(target_os = "linux")]
    settings.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    Ok(socket)
}

/// A server without TLS may leave the handshake unanswered, since it waits for the end of a line.
/// After a quarter of the time, another connection finds out.
async fn secure(
    timeout: Duration,
    configuration: &Arc<ClientConfig>,
    address: &Address,
    host: &str,
    socket: TcpStream,
) -> io::Result<Stream> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    let mut handshake = Box::pin(TlsConnector::from(configuration.clone()).connect(name, socket));
    let secured = tokio::select! {
        secured = &mut handshake => secured?,
        () = sleep(timeout / 4) => {
            if probe::speaks_redis(address, timeout / 4).await {
                return Err(io::Error::other(tls::PlainServer));
            }
            handshake.await?
        }
    };
    Ok(Box::pin(secured))
}
