//! Whether a server of this machine accepts connections.

use std::time::Duration;

use sam_template::project::LocalServer;
use tokio::net::TcpStream;

/// Time for a server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Whether one of these servers accepts a connection.
pub(crate) async fn any_accepts(servers: &[LocalServer]) -> bool {
    for server in servers {
        if accepts(server).await {
            return true;
        }
    }
    false
}

/// Whether this server accepts a connection. A port that is no number does not.
pub(crate) async fn accepts(server: &LocalServer) -> bool {
    let Ok(port) = server.port else { return false };
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    matches!(
        tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await,
        Ok(Ok(_))
    )
}
