//! Sockets to a server, with TLS if the link has it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use redis::aio::AsyncStream;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::access::{Access, ConnectError};
use super::address::Address;
use super::{probe, tcp, tls};

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
            let socket = tcp::connect(host, *port).await.map_err(RedisError::from)?;
            Ok(Box::pin(socket))
        }
        (Address::Tcp { host, port }, Some(configuration)) => {
            let socket = tcp::connect(host, *port).await.map_err(RedisError::from)?;
            let secured = secure(access.timeout, configuration, address, host, socket).await;
            secured.map_err(|error| match tls::reason(&error) {
                Some(reason) => access.refusal(&address.to_string(), reason).into(),
                None => RedisError::from(error).into(),
            })
        }
    }
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
