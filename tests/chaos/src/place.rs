//! What faults are done to: servers, and the network between two parts of the system. Pure.

use std::fmt;

/// A server of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// Redis of the gate.
    Gate,
    /// Redis of caches and streams.
    Cache,
    /// The database.
    Database,
    /// Kafka.
    Kafka,
    /// SQS.
    Sqs,
}

/// All servers.
pub const SERVERS: [Server; 5] = [
    Server::Gate,
    Server::Cache,
    Server::Database,
    Server::Kafka,
    Server::Sqs,
];

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gate => "Redis (gate)",
            Self::Cache => "Redis (cache)",
            Self::Database => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Sqs => "SQS",
        })
    }
}

/// The network between two parts of the system. A host stands for its functions too: they have the
/// same addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// Between every host and a server.
    Hosts(Server),
    /// Between one host and a server, which the other hosts reach.
    OneHost(Server),
    /// Between the functions and the payment provider that takes refunds.
    Provider,
    /// Between the two servers of the gate.
    GateReplica,
    /// Between Postgres and its synchronous standby: no commit ends without it.
    Standby,
}

impl Path {
    /// The paths whose clients have to survive a connection that became half-open.
    pub fn of_clients() -> impl Iterator<Item = Self> {
        let hosts = SERVERS.into_iter().map(Self::Hosts);
        let one = SERVERS.into_iter().map(Self::OneHost);
        hosts.chain(one).chain([Self::Provider])
    }

    /// All paths.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::of_clients().chain([Self::GateReplica, Self::Standby])
    }

    /// What a fault of this path needs for itself.
    pub const fn resource(self) -> Resource {
        match self {
            Self::Hosts(server) | Self::OneHost(server) => Resource::Server(server),
            Self::Provider => Resource::Provider,
            Self::GateReplica => Resource::Server(Server::Gate),
            Self::Standby => Resource::Server(Server::Database),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(server) => write!(f, "all hosts and {server}"),
            Self::OneHost(server) => write!(f, "one host and {server}"),
            Self::Provider => f.write_str("functions and payment provider"),
            Self::GateReplica => f.write_str("gate and its replica"),
            Self::Standby => f.write_str("PostgreSQL and its standby"),
        }
    }
}

/// What a fault needs for itself: no two faults disturb the same at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Resource {
    /// The hosts and their functions.
    Host,
    /// The clocks of the functions.
    Clocks,
    /// A server, and the network to it.
    Server(Server),
    /// The payment provider.
    Provider,
}

/// All resources.
pub fn resources() -> impl Iterator<Item = Resource> {
    let servers = SERVERS.into_iter().map(Resource::Server);
    [Resource::Host, Resource::Clocks, Resource::Provider]
        .into_iter()
        .chain(servers)
}
