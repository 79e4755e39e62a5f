//! The user at the other end of a loopback connection. A connection of another user is refused: it
//! could take a function's events.
//!
//! [`socket_query`] requests one socket from the kernel, in some microseconds. A kernel without such
//! queries has its whole table of sockets in /proc/net/tcp, which takes milliseconds to read.

mod socket_query;

use std::net::{SocketAddr, SocketAddrV4};

/// False if the kernel reports that the socket `peer`, connected to `local`, belongs to another
/// user. True where that cannot be read (no /proc, not IPv4).
pub(super) fn is_same_user(peer: SocketAddr, local: SocketAddr) -> bool {
    let (SocketAddr::V4(peer), SocketAddr::V4(local)) = (peer, local) else {
        return true;
    };
    let owner = socket_query::owner(peer, local).ok();
    owner
        .or_else(|| owner_in_table(&std::fs::read_to_string("/proc/net/tcp").ok()?, peer, local))
        .is_none_or(|uid| uid == nix::unistd::getuid().as_raw())
}

/// User id of the socket bound to `peer` and connected to `local` in a table of /proc/net/tcp.
fn owner_in_table(table: &str, peer: SocketAddrV4, local: SocketAddrV4) -> Option<u32> {
    let peer = kernel_form(peer);
    let local = kernel_form(local);
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let matches = fields.next()? == peer && fields.next()? == local;
        matches.then(|| fields.nth(4)?.parse().ok())?
    })
}

/// `0100007F:1F90`: the address in host byte order, both in hexadecimal.
fn kernel_form(address: SocketAddrV4) -> String {
    format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(address.ip().octets()),
        address.port()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_connection_is_of_the_same_user() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (SocketAddr::V4(peer), SocketAddr::V4(local)) =
            (client.local_addr().unwrap(), client.peer_addr().unwrap())
        else {
            panic!("loopback is IPv4");
        };
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        assert_eq!(
            owner_in_table(&table, peer, local),
            Some(nix::unistd::getuid().as_raw())
        );
        let user = nix::unistd::getuid().as_raw();
        assert_eq!(socket_query::owner(peer, local).ok(), Some(user));
        assert!(is_same_user(peer.into(), local.into()));
    }

    #[test]
    fn another_users_socket_is_recognised() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt \
                     uid  timeout inode\n\
                     1: 0100007F:A001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 \
                     4242        0 1 1\n";
        let peer = "127.0.0.1:40961".parse().unwrap();
        let local = "127.0.0.1:8080".parse().unwrap();
        assert_eq!(owner_in_table(table, peer, local), Some(4242));
    }
}
