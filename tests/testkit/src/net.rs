//! Free ports of the loopback interface.

use std::net::{SocketAddr, TcpListener};

/// An address at which nothing listens at the moment.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
}
