//! The address of a client, as rate limits count it. Pure.

use core::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The header of trusted proxies cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "header x-forwarded-for: the address that the outermost of {0} trusted proxies has appended cannot \
    be read"
)]
pub struct UnreadableAddress(pub usize);

/// The client in front of the trusted proxies.
///
/// `source` is the peer of the gateway, and `forwarded` the header X-Forwarded-For: each proxy, and
/// the gateway at last, appends the peer that it has seen. What stands in front of these was sent
/// by the client and is not used: without trusted proxies the header is not read. If proxies are
/// missing, the first address of the chain counts.
///
/// # Errors
/// The entry that counts is no address.
pub fn client_address(
    source: Option<IpAddr>,
    forwarded: Option<&str>,
    proxies: usize,
) -> Result<Option<IpAddr>, UnreadableAddress> {
    let Some(source) = source.filter(|_| proxies > 0) else {
        return Ok(source);
    };
    let mut chain: Vec<Option<IpAddr>> = forwarded
        .into_iter()
        .flat_map(|header| header.split(','))
        .map(|entry| entry_address(entry.trim()))
        .collect();
    if chain.last() != Some(&Some(source)) {
        chain.push(Some(source));
    }
    let client = chain[chain.len().saturating_sub(proxies + 1)];
    client.map(Some).ok_or(UnreadableAddress(proxies))
}

/// `192.0.2.7`, `2001:db8::7`, or either with a port, which some proxies append.
fn entry_address(entry: &str) -> Option<IpAddr> {
    let address = entry.parse::<IpAddr>();
    let address = address.or_else(|_| entry.parse::<SocketAddr>().map(|peer| peer.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// What a limit counts as one client: an IPv4 address, or the /64 of an IPv6 address, which is
/// what one connection is usually assigned.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn client(forwarded: &str, proxies: usize) -> Result<IpAddr, UnreadableAddress> {
        let found = client_address(Some(ip("192.0.2.9")), Some(forwarded), proxies)?;
        Ok(found.expect("the gateway has a peer"))
    }

    #[test]
    fn without_trusted_proxies_no_header_counts() {
        for forged in ["", "198.51.100.1", "198.51.100.1, 192.0.2.9", "nonsense"] {
            assert_eq!(client(forged, 0), Ok(ip("192.0.2.9")), "{forged}");
        }
        assert_eq!(client_address(None, Some("198.51.100.1"), 0), Ok(None));
        assert_eq!(client_address(None, Some("198.51.100.1"), 1), Ok(None));
    }

    #[test]
    fn only_what_trusted_proxies_have_appended_counts() {
        // client, proxy (the gateway's peer)
        assert_eq!(client("203.0.113.5, 192.0.2.9", 1), Ok(ip("203.0.113.5")));
        // A client sends addresses of its own, and garbage.
        for forged in [
            "198.51.100.1, 203.0.113.5, 192.0.2.9",
            "10.0.0.1,10.0.0.2,10.0.0.3, 203.0.113.5 ,192.0.2.9",
            "unknown, <script>, , 203.0.113.5, 192.0.2.9",
            ",,,,203.0.113.5,192.0.2.9",
        ] {
            assert_eq!(client(forged, 1), Ok(ip("203.0.113.5")), "{forged}");
        }
        let two = "198.51.100.1, 203.0.113.5, 203.0.113.77, 192.0.2.9";
        assert_eq!(client(two, 2), Ok(ip("203.0.113.5")));
        let many = format!("{}203.0.113.5, 192.0.2.9", "10.0.0.1, ".repeat(10_000));
        assert_eq!(client(&many, 1), Ok(ip("203.0.113.5")));
    }

    #[test]
    fn a_gateway_that_appends_nothing_is_part_of_the_chain() {
        assert_eq!(client("203.0.113.5", 1), Ok(ip("203.0.113.5")));
        assert_eq!(
            client("198.51.100.1, 203.0.113.5", 1),
            Ok(ip("203.0.113.5"))
        );
    }

    #[test]
    fn missing_proxies_leave_the_first_address() {
        assert_eq!(client("192.0.2.9", 3), Ok(ip("192.0.2.9")));
        assert_eq!(client("203.0.113.5, 192.0.2.9", 3), Ok(ip("203.0.113.5")));
        let none = client_address(Some(ip("192.0.2.9")), None, 2);
        assert_eq!(none, Ok(Some(ip("192.0.2.9"))));
    }

    #[test]
    fn an_entry_of_a_trusted_proxy_that_is_no_address_is_refused() {
        for header in [
            "unknown, 192.0.2.9",
            ", 192.0.2.9",
            "203.0.113.256, 192.0.2.9",
            "203.0.113.5 203.0.113.6, 192.0.2.9",
        ] {
            assert_eq!(client(header, 1), Err(UnreadableAddress(1)), "{header}");
        }
    }

    #[test]
    fn ports_and_forms_of_an_address_do_not_matter() {
        for (entry, expected) in [
            ("203.0.113.5:4711", "203.0.113.5"),
            ("[2001:db8::5]:4711", "2001:db8::5"),
            ("::ffff:203.0.113.5", "203.0.113.5"),
            ("2001:DB8:0:0::5", "2001:db8::5"),
        ] {
            let header = format!("{entry}, 192.0.2.9");
            assert_eq!(client(&header, 1), Ok(ip(expected)), "{entry}");
        }
    }

    #[test]
    fn addresses_of_one_64_network_are_one_client() {
        let one = network(ip("2001:db8:1:2:3:4:5:6"));
        assert_eq!(one, ip("2001:db8:1:2::"));
        assert_eq!(one, network(ip("2001:db8:1:2:ffff::1")));
        assert_ne!(one, network(ip("2001:db8:1:3::1")));
        assert_eq!(network(ip("::ffff:203.0.113.5")), ip("203.0.113.5"));
        assert_ne!(network(ip("203.0.113.5")), network(ip("203.0.113.6")));
    }
}
