//! Free ports of the loopback interface.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::Mutex;

/// Below the ports that the system gives to outgoing connections (`net.ipv4.ip_local_port_range`,
/// by default from 32768): one of those may be in use when a server starts again at its address.
const PORTS: Range<u16> = 20_000..32_768;
/// Many more than there are ports in use.
const ATTEMPTS: usize = 10_000;

/// An address at which nothing listens at the moment. A process gets each one once.
///
/// # Panics
/// If no port is free.
pub fn free_address() -> SocketAddr {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().expect("no panic");
    for _ in 0..ATTEMPTS {
        let port = rand::random_range(PORTS);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if !given.contains(&port) && TcpListener::bind(address).is_ok() {
            given.insert(port);
            return address;
        }
    }
    panic!("no port of {PORTS:?} is free");
}
