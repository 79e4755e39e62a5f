//! The address of a Redis server, and the keepalive settings of its sockets.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo};

use super::LinkError;

/// The kernel closes a connection whose peer acknowledges nothing for about 25 s. This covers
/// connections that only listen; commands are bounded by the response timeout.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);
/// Unacknowledged data of this age closes the connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Errors do not contain the address: it may hold a password.
pub(super) fn client(url: &str) -> Result<Client, LinkError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let tls = ["rediss", "valkeys"];
    if tls.iter().any(|tls| scheme.eq_ignore_ascii_case(tls)) {
        return Err(LinkError::Protocol(format!(
            "the address of Redis requires TLS ({scheme}://), which is not built in; \
             give a redis:// address, for example that of a TLS tunnel"
        )));
    }
    let unusable =
        |error| LinkError::Protocol(format!("the address of Redis is not usable: {error}"));
    let tcp = TcpSettings::default().set_keepalive(KEEPALIVE);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(USER_TIMEOUT);
    let info = url
        .into_connection_info()
        .map_err(unusable)?
        .set_tcp_settings(tcp);
    Client::open(info).map_err(unusable)
}
