//! Queries the kernel for one socket: `sock_diag(7)`. The messages are those of `linux/netlink.h`
//! and `linux/inet_diag.h`. Numbers have the byte order of the machine; ports and addresses have
//! that of the network.

use std::io;
use std::net::SocketAddrV4;

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
/// Where `idiag_uid` stands in a response: `inet_diag_msg` has four bytes, `inet_diag_sockid` (48)
/// and three numbers before it.
const USER: usize = HEADER + 4 + 48 + 12;
/// More than a response has.
const RESPONSE: usize = 512;

/// User id of the socket bound to `local` and connected to `remote`.
///
/// # Errors
/// There is none, or the kernel does not answer such queries.
pub(super) fn owner(local: SocketAddrV4, remote: SocketAddrV4) -> io::Result<u32> {
    let (family, flags) = (AddressFamily::NETLINK, SocketFlags::CLOEXEC);
    let socket = socket_with(family, SocketType::DGRAM, flags, Some(SOCK_DIAG))?;
    let kernel = SocketAddrNetlink::new(0, 0);
    let query = query(local, remote);
    sendto(&socket, &query, SendFlags::empty(), &kernel)?;
    let mut response = [0; RESPONSE];
    // the kernel has answered before `sendto` returns
    let (length, _) = recv(&socket, &mut response, RecvFlags::DONTWAIT)?;
    user(&response[..length]).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
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

/// The user id in a response. `None`: it is an error.
fn user(response: &[u8]) -> Option<u32> {
    let kind = response.get(4..6)?.try_into().ok()?;
    let user = response.get(USER..USER + 4)?.try_into().ok()?;
    (u16::from_ne_bytes(kind) == BY_FAMILY).then_some(u32::from_ne_bytes(user))
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

    #[test]
    fn an_error_or_a_short_response_has_no_user() {
        let mut response = [0; USER + 4];
        response[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
        response[USER..].copy_from_slice(&4242_u32.to_ne_bytes());
        assert_eq!(user(&response), Some(4242));
        assert_eq!(user(&response[..USER + 3]), None);
        response[4..6].copy_from_slice(&2_u16.to_ne_bytes());
        assert_eq!(user(&response), None, "NLMSG_ERROR");
    }

    #[test]
    fn a_socket_that_is_not_there_has_no_owner() {
        let address = "127.0.0.1:1".parse().unwrap();
        assert!(owner(address, address).is_err());
    }
}
