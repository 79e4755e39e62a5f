//! The network of the run: a relay in front of each server for each host, and in front of the
//! payment provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use testkit::relay::Relay;

use crate::place::{Path, SERVERS, Server};

/// The relays.
#[derive(Debug)]
pub struct Network {
    /// By host, then by server.
    hosts: Vec<[Relay; SERVERS.len()]>,
    provider: Relay,
    /// From the gate's replica, and from the standby of Postgres, to their primaries.
    replicas: [Arc<Relay>; 2],
    /// Faults of one host so far: they take the hosts by turns.
    turn: AtomicUsize,
}

impl Network {
    pub(super) fn new(
        hosts: Vec<[Relay; SERVERS.len()]>,
        provider: Relay,
        replicas: [Arc<Relay>; 2],
    ) -> Self {
        Self {
            hosts,
            provider,
            replicas,
            turn: AtomicUsize::new(0),
        }
    }

    /// The port at which a host reaches a server.
    pub fn port(&self, host: usize, server: Server) -> u16 {
        self.hosts[host][server as usize].port()
    }

    /// The port at which functions reach the payment provider.
    pub fn provider_port(&self) -> u16 {
        self.provider.port()
    }

    /// Leads the new connections of every host to another port of a server.
    pub fn redirect(&self, server: Server, port: u16) {
        for host in &self.hosts {
            host[server as usize].redirect(port);
        }
    }

    /// The relays of a path. Those of one host are of another one with each call.
    pub fn relays(&self, path: Path) -> Vec<&Relay> {
        let [gate, database] = &self.replicas;
        match path {
            Path::Hosts(server) => {
                let hosts = self.hosts.iter();
                hosts.map(|host| &host[server as usize]).collect()
            }
            Path::OneHost(server) => {
                let turn = self.turn.fetch_add(1, Ordering::SeqCst);
                vec![&self.hosts[turn % self.hosts.len()][server as usize]]
            }
            Path::Provider => vec![&self.provider],
            Path::GateReplica => vec![gate],
            Path::Standby => vec![database],
        }
    }
}
