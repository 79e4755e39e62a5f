//! Queries the kernel for one socket: `sock_diag(7)`. The messages are those of `linux/netlink.h`
//! and `linux/inet_diag.h`. Numbers have the byte order of the machine; ports and addresses have
//! that of the network.

use std::io;
use std::net::SocketAddrV4;
use std::ops::Range;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};

/// Size of `nlmsghdr`.
const HEADER: usize = 16;
/// Size of `inet_diag_req_v2`.
const QUERY: usize = 56;
/// `SOCK_DIAG_BY_FAMILY`: the type of a query, and of a response that is no error.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`
const REQUEST: u16 = 1;
/// `AF_INET`
const IPV4: u8 = 2;
/// `IPPROTO_TCP`
const TCP: u8 = 6;
/// Where ports and addresses stand in a query: the first fields of `inet_diag_sockid`, behind two
/// numbers of `inet_diag_req_v2`.
const QUERIED: Range<usize> = HEADER + 8..HEADER + 8 + ENDS;
/// The same in a response: `inet_diag_msg` has four bytes before them.
const ANSWERED: Range<usize> = HEADER + 4..HEADER + 4 + ENDS;
/// Bytes of both ports and both addresses.
const ENDS: usize = 2 * (2 + 16);
/// Where `idiag_uid` stands in a response: `inet_diag_msg` has four bytes, `inet_diag_sockid` (48)
/// and three numbers before it.
const USER: usize = HEADER + 4 + 48 + 12;
/// More than a response has.
const RESPONSE: usize = 512;

/// User id of the socket bound to `local` and connected to `remote`.
///
/// # Errors
/// There is none, or the kernel does not answer such queries. Instead of a socket that is gone the
/// kernel reports one that listens on its port: that is none either.
pub(super) fn owner(local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<u32> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    let query = query(local, remote);
    sendto(&socket, &query, SendFlags::empty(), &kernel)?;
    let mut response = [0; RESPONSE];
    // the kernel has answered before `sendto` returns
    let (length, _) = recv(&socket, &mut response, RecvFlags::DONTWAIT)?;
    user(&query, &response[..length]).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
}

fn query(local: SocketAddrV4, remote: SocketAddrV4) -> Vec<u8> {
    let mut query = Vec::with_capacity(HEADER + QUERY);
    query.extend(((HEADER + QUERY) as u32).to_ne_bytes());
    query.extend(BY_FAMILY.to_ne_bytes());
    query.extend(REQUEST.to_ne_bytes());
    query.extend([0; 8]); // sequence number and sender: the socket has one query
    query.extend([IPV4, TCP, 0, 0]); // no extensions; padding
    query.extend(u32::MAX.to_ne_bytes()); // in any state
    query.extend(local.port().to_be_bytes());
    query.extend(remote.port().to_be_bytes());
    for address in [local.ip(), remote.ip()] {
        query.extend(address.octets());
        query.extend([0; 12]); // an IPv6 address has as much
    }
    query.extend([0; 4]); // on any interface
    query.extend([u8::MAX; 8]); // INET_DIAG_NOCOOKIE
    query
}

/// The user id in a response. `None`: it is an error, or about another socket than the query.
fn user(query: &[u8], response: &[u8]) -> Option<u32> {
    let kind = response.get(4..6)?.try_into().ok()?;
    let user = response.get(USER..USER + 4)?.try_into().ok()?;
    let of_query = response.get(ANSWERED)? == query.get(QUERIED)?;
    (u16::from_ne_bytes(kind) == BY_FAMILY && of_query).then_some(u32::from_ne_bytes(user))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_the_length_that_it_states() {
        let address = "127.0.0.1:1".parse().unwrap();
        let query = query(address, address);
        assert_eq!(query.len(), HEADER + QUERY);
        assert_eq!(query[..4], (query.len() as u32).to_ne_bytes());
    }

    /// A response about the socket of a query.
    fn response(query: &[u8]) -> [u8; USER + 4] {
        let mut response = [0; USER + 4];
        response[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        response[ANSWERED].copy_from_slice(&query[QUERIED]);
        response[USER..].copy_from_slice(&4242_u32.to_ne_bytes());
        response
    }

    fn any_query() -> Vec<u8> {
        let [local, remote] =
            ["127.0.0.1:40961", "127.0.0.2:8080"].map(|address| address.parse().unwrap());
        query(local, remote)
    }

    #[test]
    fn an_error_or_a_short_response_has_no_user() {
        let query = any_query();
        let mut response = response(&query);
        assert_eq!(user(&query, &response), Some(4242));
        assert_eq!(user(&query, &response[..USER + 3]), None);
        response[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(user(&query, &response), None, "NLMSG_ERROR");
    }

    #[test]
    fn a_response_about_another_socket_has_no_user() {
        let query = any_query();
        for at in ANSWERED {
            let mut response = response(&query);
            response[at] ^= 1;
            assert_eq!(user(&query, &response), None, "byte {at}");
        }
    }

    #[test]
    fn a_listener_is_no_connected_socket() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let std::net::SocketAddr::V4(port) = listener.local_addr().unwrap() else {
            panic!("bound to IPv4");
        };
        assert!(owner(port, "127.0.0.1:1".parse().unwrap()).is_err());
    }

    #[test]
    fn a_socket_that_is_not_there_has_no_owner() {
        let address = "127.0.0.1:1".parse().unwrap();
        assert!(owner(address, address).is_err());
    }
}
