//! The address of a Redis, and how its sockets notice a peer that is gone.

use std::time::Duration;

use redis::io::tcp::{TcpSettings, socket2::TcpKeepalive};
use redis::{Client, IntoConnectionInfo};

use super::LinkError;

/// A peer that acknowledges nothing is given up by the kernel after about 25 s, also on a connection that only listens. Commands do not
/// wait so long: the response timeout ends them, and gives the connection up.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(10))
    .with_interval(Duration::from_secs(5))
    .with_retries(3);
/// What was sent and is not acknowledged for so long ends the connection.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// A client for the address. The address is not repeated in errors: it may hold a password.
pub(super) fn client(url: &str) -> Result<Client, LinkError> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    if ["rediss", "valkeys"]
        .iter()
        .any(|tls| scheme.eq_ignore_ascii_case(tls))
    {
        let text = format!(
            "the address of Redis asks for TLS ({scheme}://), which is not built in; give a redis:// address, of a TLS tunnel if need be"
        );
        return Err(LinkError::Protocol(text));
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
