//! Memory and connections of processes, from /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// State of an established connection in /proc/net/tcp.
const ESTABLISHED: &str = "01";

/// Memory of a process in bytes. A page that several processes share counts in part for each
/// (proportional set size). `None` if the process has ended.
pub(crate) fn pss_bytes(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Established TCP connections of processes, by the port of the other side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Connections(BTreeMap<u16, u64>);

impl Connections {
    /// The connections of these processes, which share one network namespace with this one.
    pub(crate) fn of(pids: &[u32]) -> Result<Self> {
        let sockets: BTreeSet<String> = pids.iter().flat_map(|pid| sockets(*pid)).collect();
        let mut ports = BTreeMap::new();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // Without IPv6 there is no second table.
            let text = match fs::read_to_string(table) {
                Ok(text) => text,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).context(table),
            };
            for (port, inode) in text.lines().filter_map(established) {
                if sockets.contains(inode) {
                    *ports.entry(port).or_default() += 1;
                }
            }
        }
        Ok(Self(ports))
    }

    /// Adds those of another reading.
    pub(crate) fn add(&mut self, other: &Self) {
        for (port, count) in &other.0 {
            *self.0.entry(*port).or_default() += count;
        }
    }

    /// The number of connections to these ports.
    pub(crate) fn to(&self, ports: &[u16]) -> u64 {
        ports.iter().filter_map(|port| self.0.get(port)).sum()
    }
}

/// Inodes of the sockets of a process.
pub(crate) fn sockets(pid: u32) -> Vec<String> {
    let files = fs::read_dir(Path::new("/proc").join(pid.to_string()).join("fd"));
    let targets = files.into_iter().flatten().flatten();
    let targets = targets.filter_map(|file| fs::read_link(file.path()).ok());
    let inode = |target: std::path::PathBuf| {
        let text = target.to_str()?;
        Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    };
    targets.filter_map(inode).collect()
}

/// The port of the other side, and the inode, of an established connection in a line of the table.
fn established(line: &str) -> Option<(u16, &str)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (remote, state, inode) = (fields.get(2)?, fields.get(3)?, fields.get(9)?);
    let port = u16::from_str_radix(remote.rsplit_once(':')?.1, 16).ok()?;
    (*state == ESTABLISHED).then_some((port, inode))
}

/// The ports in a list of addresses such as `redis://host:6379` or `host:9092,host:9093`.
pub(crate) fn ports(addresses: &[&str]) -> Vec<u16> {
    let port = |address: &str| {
        let after = address.rsplit_once(':')?.1;
        let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let each = addresses.iter().flat_map(|address| address.split(','));
    each.filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_the_servers_are_found_in_their_addresses() {
        let postgres = ports(&["postgres://usher:usher@127.0.0.1:15432/usher"]);
        assert_eq!(postgres, [15_432]);
        let redis = ports(&["redis://127.0.0.1:16379", "redis://127.0.0.1:16380"]);
        assert_eq!(redis, [16_379, 16_380]);
        assert_eq!(ports(&["127.0.0.1:9092,127.0.0.1:9093"]), [9_092, 9_093]);
    }

    #[test]
    fn own_connections_are_counted_by_the_other_sides_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let port = [address.port()];
        let own = || {
            Connections::of(&[std::process::id()])
                .expect("/proc")
                .to(&port)
        };
        assert_eq!(own(), 0, "a listener is no connection");
        let connections = [(); 3].map(|()| std::net::TcpStream::connect(address).expect("open"));
        assert_eq!(own(), 3);
        drop(connections);
    }
}
