//! The processes of the servers, by the ports on which they listen.

use std::fs;

use ticket_rush::locations::Servers;

use crate::resources::{ports, sockets};

/// State of a listening socket in /proc/net/tcp.
const LISTENING: &str = "0A";

/// A server of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Server {
    Gate,
    Cache,
    Postgres,
    Kafka,
    Sqs,
}

impl Server {
    pub(crate) const ALL: [Self; 5] = [
        Self::Gate,
        Self::Cache,
        Self::Postgres,
        Self::Kafka,
        Self::Sqs,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gate => "Redis, gate",
            Self::Cache => "Redis, cache and streams",
            Self::Postgres => "PostgreSQL",
            Self::Kafka => "Kafka",
            Self::Sqs => "ElasticMQ (SQS)",
        }
    }

    fn address(self, servers: &Servers) -> &str {
        match self {
            Self::Gate => &servers.redis_url,
            Self::Cache => &servers.cache_url,
            Self::Postgres => &servers.database_url,
            Self::Kafka => &servers.brokers,
            Self::Sqs => &servers.sqs_endpoint,
        }
    }

    /// Its process: of those that hold its listening socket the one that started first, since the
    /// children of a server inherit it. `None` if it runs elsewhere or belongs to another user.
    pub(crate) fn process(self, servers: &Servers) -> Option<u32> {
        let port = *ports(&[self.address(servers)]).first()?;
        let inodes = listeners(port);
        let processes = fs::read_dir("/proc").ok()?.flatten();
        processes
            .filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok())
            .filter(|pid| sockets(*pid).iter().any(|inode| inodes.contains(inode)))
            .min_by_key(|pid| started(*pid))
    }
}

/// Inodes of the sockets that listen on a port.
fn listeners(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let tables = tables.into_iter().flatten();
    tables
        .flat_map(|table| {
            let lines = table.lines().filter_map(|line| listening(line, port));
            lines.collect::<Vec<_>>()
        })
        .collect()
}

fn listening(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (own, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    let number = u16::from_str_radix(own.rsplit_once(':')?.1, 16).ok()?;
    (number == port && *state == LISTENING).then(|| (*inode).to_owned())
}

/// Clock ticks from the start of the system to the start of a process.
fn started(pid: u32) -> u64 {
    crate::cpu::stat(pid, 19).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_found_by_the_port_of_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut servers = Servers::from_env();
        servers.redis_url = format!("redis://{address}/0");
        let own = Some(std::process::id());
        assert_eq!(Server::Gate.process(&servers), own);
        drop(listener);
        assert_eq!(Server::Gate.process(&servers), None);
    }
}
