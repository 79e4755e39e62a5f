//! A private Kafka.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::net::free_address;
use crate::process::{kill_server, servers, signal_server};

/// How long a restart may wait for its ports.
const RESTART_TIMEOUT: Duration = Duration::from_mins(1);

/// A Kafka on free ports. It is stopped and its data are removed when this value is dropped.
#[derive(Debug)]
pub struct PrivateKafka {
    data: TempDir,
    port: u16,
    controller_port: u16,
    /// Ports of the listeners that require a login, and a client certificate.
    secured: Option<[u16; 2]>,
    /// Further plaintext listeners: the port of each, and the one that its clients are sent to.
    behind: Vec<[u16; 2]>,
}

impl PrivateKafka {
    /// Starts one with a plaintext listener.
    pub fn start() -> Self {
        Self::with(None, Vec::new())
    }

    /// Starts one with further listeners. Each has the first port of its pair, and sends its clients
    /// to the second one, which a [`Relay`](crate::relay::Relay) listens on.
    pub fn behind(relays: Vec<[u16; 2]>) -> Self {
        Self::with(None, relays)
    }

    /// Starts one with encrypted listeners as well.
    pub fn secured() -> Self {
        let secured = [free_address().port(), free_address().port()];
        Self::with(Some(secured), Vec::new())
    }

    fn with(secured: Option<[u16; 2]>, behind: Vec<[u16; 2]>) -> Self {
        let kafka = Self {
            data: TempDir::new().expect("a temporary folder"),
            port: free_address().port(),
            controller_port: free_address().port(),
            secured,
            behind,
        };
        kafka.script("start").expect("Kafka starts");
        kafka
    }

    /// Bootstrap servers of the plaintext listener.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Bootstrap servers of the listeners that require a login, and a client certificate.
    pub fn secured_brokers(&self) -> [String; 2] {
        let ports = self.secured.expect("started with `secured`");
        ports.map(|port| format!("127.0.0.1:{port}"))
    }

    /// The text of one of its certificates or keys.
    pub fn pem(&self, name: &str) -> String {
        let path = self.data.path().join("kafka/tls").join(name);
        fs::read_to_string(path).expect("a certificate or key")
    }

    /// Shuts it down. Its data remain.
    pub fn stop(&self) {
        self.script("stop").expect("Kafka stops");
    }

    /// Starts it after a stop or a kill. A client that reconnects meanwhile may occupy the port for
    /// a moment by a connection from the port to itself.
    pub fn start_again(&self) {
        let deadline = Instant::now() + RESTART_TIMEOUT;
        while let Err(why) = self.script("start") {
            assert!(
                why.to_string().contains("is in use") && Instant::now() < deadline,
                "{why}"
            );
        }
    }

    /// Kills it, as a power failure does.
    pub fn kill(&self) {
        kill_server("kafka", self.data.path());
    }

    /// Stops or continues its process: `SIGSTOP`, `SIGCONT`. Its connections stay open.
    pub fn signal(&self, signal: Signal) {
        signal_server("kafka", self.data.path(), signal);
    }

    /// The log files of a partition.
    pub fn log_files(&self, topic: &str, partition: i32) -> Vec<PathBuf> {
        let folder = format!("kafka/log/{topic}-{partition}");
        fs::read_dir(self.data.path().join(folder))
            .expect("the partition's folder")
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect()
    }

    fn script(&self, verb: &str) -> io::Result<()> {
        let mut variables = vec![
            ("KAFKA_PORT", self.port.to_string()),
            ("KAFKA_CONTROLLER_PORT", self.controller_port.to_string()),
        ];
        let names = ["KAFKA_SASL_PORT", "KAFKA_MTLS_PORT"];
        let secured = self.secured.into_iter().flatten();
        variables.extend(names.into_iter().zip(secured.map(|port| port.to_string())));
        let behind = self.behind.iter();
        let behind: Vec<String> = behind.map(|[port, to]| format!("{port}:{to}")).collect();
        variables.push(("KAFKA_RELAYED_PORTS", behind.join(" ")));
        servers(verb, "kafka", self.data.path(), &variables)
    }
}

impl Drop for PrivateKafka {
    fn drop(&mut self) {
        if let Err(error) = self.script("stop") {
            eprintln!(
                "cannot stop the private Kafka in {}: {error}",
                self.data.path().display()
            );
        }
    }
}
