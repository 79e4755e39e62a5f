//! A private Redis Cluster.

use std::time::{Duration, Instant};

use redis::Value;

use crate::net::free_address;
use crate::redis::PrivateRedis;
use crate::tls::{Authority, path_text};

/// How long the cluster may take to form.
const FORMING: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);
const SLOTS: u16 = 16_384;
/// A node that is silent for so long has failed. Short, so that a failover is.
const NODE_TIMEOUT_MS: &str = "1000";

/// Primaries that share all slots evenly, and replicas of them. Ends with this value.
#[derive(Debug)]
pub struct PrivateCluster {
    nodes: Vec<PrivateRedis>,
    /// The ports that the nodes announce.
    ports: Vec<u16>,
    primaries: usize,
    scheme: &'static str,
}

impl PrivateCluster {
    /// Starts the nodes and waits until all of them serve the cluster. Replica `n` belongs to
    /// primary `n`.
    pub fn start(primaries: usize, replicas: usize) -> Self {
        Self::with(primaries, replicas, None)
    }

    /// The same with TLS to clients and between the nodes, by certificates of this authority for
    /// `localhost` and `127.0.0.1`. [`Self::node`] has ports without TLS for the test itself.
    pub fn start_with_tls(primaries: usize, replicas: usize, authority: &Authority) -> Self {
        Self::with(primaries, replicas, Some(authority))
    }

    fn with(primaries: usize, replicas: usize, authority: Option<&Authority>) -> Self {
        let (mut nodes, mut ports, mut bus_ports) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..primaries + replicas {
            // Redis would use its port and 10,000, which may be no port.
            let bus = free_address().port().to_string();
            let settings = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                NODE_TIMEOUT_MS,
                // The first failover may begin before a replica has a full copy.
                "--cluster-replica-validity-factor",
                "0",
                "--repl-diskless-sync-delay",
                "0",
            ];
            let (node, port) = if let Some(authority) = authority {
                let trusted = path_text(&authority.file());
                let tls = ["--tls-cluster", "yes", "--tls-replication", "yes"];
                let settings: Vec<_> = settings.into_iter().chain(tls).collect();
                let settings = [&settings[..], &["--tls-ca-cert-file", &trusted]].concat();
                PrivateRedis::start_with_tls(&authority.server(), &settings)
            } else {
                let node = PrivateRedis::start(&settings);
                let port = node.port();
                (node, port)
            };
            nodes.push(node);
            ports.push(port);
            bus_ports.push(bus);
        }
        let scheme = if authority.is_some() {
            "rediss"
        } else {
            "redis"
        };
        let cluster = Self {
            nodes,
            ports,
            primaries,
            scheme,
        };
        for (n, node) in cluster.nodes.iter().enumerate() {
            node.run(&["CLUSTER", "SET-CONFIG-EPOCH", &(n + 1).to_string()]);
        }
        let first = &cluster.nodes[0];
        for (port, bus) in cluster.ports.iter().zip(&bus_ports).skip(1) {
            first.run(&["CLUSTER", "MEET", "127.0.0.1", &port.to_string(), bus]);
        }
        for n in 0..primaries {
            let [from, until] = [n, n + 1].map(|n| n * usize::from(SLOTS) / primaries);
            let (from, last) = (from.to_string(), (until - 1).to_string());
            cluster.nodes[n].run(&["CLUSTER", "ADDSLOTSRANGE", &from, &last]);
        }
        for n in 0..replicas {
            let primary = cluster.id(n);
            let replica = &cluster.nodes[primaries + n];
            wait("the replica knows its primary", || {
                replica
                    .query::<String>(&["CLUSTER", "NODES"])
                    .contains(&primary)
            });
            replica.run(&["CLUSTER", "REPLICATE", &primary]);
        }
        cluster.wait();
        cluster
    }

    /// A node: the primaries first, then the replicas.
    pub fn node(&self, n: usize) -> &PrivateRedis {
        &self.nodes[n]
    }

    /// The same, to be killed or started again.
    pub fn node_mut(&mut self, n: usize) -> &mut PrivateRedis {
        &mut self.nodes[n]
    }

    /// The address that names all nodes.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self
            .ports
            .iter()
            .map(|port| format!("127.0.0.1:{port}"))
            .collect();
        format!("{}://{}?cluster=true", self.scheme, nodes.join(","))
    }

    /// The address that names only this node.
    pub fn url_of(&self, n: usize) -> String {
        let (scheme, port) = (self.scheme, self.ports[n]);
        format!("{scheme}://127.0.0.1:{port}?cluster=true")
    }

    /// The primary that serves the slot of a key at the start.
    pub fn primary_of(&self, key: &str) -> usize {
        let slot: usize = self.nodes[0].query(&["CLUSTER", "KEYSLOT", key]);
        (0..self.primaries)
            .find(|n| slot < (n + 1) * usize::from(SLOTS) / self.primaries)
            .expect("every slot has a primary")
    }

    /// The identity of a node within the cluster.
    pub fn id(&self, n: usize) -> String {
        self.nodes[n].query(&["CLUSTER", "MYID"])
    }

    /// Moves a slot with all its keys to another primary, key by key, as `redis-cli` does.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let text = slot.to_string();
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        let (source_id, target_id) = (self.id(from), self.id(to));
        target.run(&["CLUSTER", "SETSLOT", &text, "IMPORTING", &source_id]);
        source.run(&["CLUSTER", "SETSLOT", &text, "MIGRATING", &target_id]);
        let port = self.ports[to].to_string();
        loop {
            let keys: Vec<String> = source.query(&["CLUSTER", "GETKEYSINSLOT", &text, "10"]);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                source.run(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            }
        }
        for node in [target, source] {
            node.run(&["CLUSTER", "SETSLOT", &text, "NODE", &target_id]);
        }
    }

    /// Every node serves all slots, and every replica has its data.
    fn wait(&self) {
        let count = self.nodes.len();
        for (n, node) in self.nodes.iter().enumerate() {
            wait("the cluster forms", || {
                let info: String = node.query(&["CLUSTER", "INFO"]);
                let layout: Vec<Vec<Value>> = node.query(&["CLUSTER", "SLOTS"]);
                // Two bounds, a primary, and its replicas.
                let known: usize = layout.iter().map(|range| range.len() - 2).sum();
                info.contains("cluster_state:ok") && known == count
            });
            if n >= self.primaries {
                wait("the replica is in step", || {
                    let info: String = node.query(&["INFO", "replication"]);
                    info.contains("master_link_status:up")
                });
            }
        }
    }
}

fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + FORMING;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}: not within {FORMING:?}");
        std::thread::sleep(PAUSE);
    }
}
