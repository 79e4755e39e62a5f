//! TCP connections, with keepalive.

use std::io;
use std::time::Duration;

use futures::future::select_ok;
use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};

/// The kernel closes a connection whose peer acknowledges nothing for about 25 s. This covers
/// connections that only listen; commands are bounded by the response timeout.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);
/// Unacknowledged data of this age closes the connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// The first of the host's addresses that accepts.
pub(super) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
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
