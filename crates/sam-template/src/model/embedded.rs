//! Queues that the host serves itself, for applications without an SQS endpoint.

use std::net::{Ipv4Addr, SocketAddr};

/// Address of the embedded queues where usher.toml names none.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 18_324);

/// Where the embedded queues listen, and where their messages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddedQueues {
    /// A loopback address.
    pub address: SocketAddr,
    /// Messages are in the state folder and survive a restart; else they are in memory.
    pub on_disk: bool,
}

impl Default for EmbeddedQueues {
    fn default() -> Self {
        Self {
            address: DEFAULT_ADDRESS,
            on_disk: false,
        }
    }
}

impl EmbeddedQueues {
    /// URL of the endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}
