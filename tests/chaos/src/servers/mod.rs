//! The run's own servers, each behind relays.

mod database;
mod gate;
mod network;

use anyhow::Result;
use nix::sys::signal::Signal;
use testkit::kafka::PrivateKafka;
use testkit::net::free_address;
use testkit::private_sqs::PrivateSqs;
use testkit::redis::PrivateRedis;
use testkit::relay::Relay;
use ticket_rush::locations::Servers;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

pub use database::Database;
pub use gate::Gate;
pub use network::Network;

use crate::place::Server;

/// The role and the database of the system.
const DATABASE: &str = "usher";

/// The servers. Each is locked while a fault changes it.
#[derive(Debug)]
pub struct OwnServers {
    /// The gate: a primary and a replica.
    pub gate: Mutex<Gate>,
    /// Caches and streams.
    pub cache: Mutex<PrivateRedis>,
    /// The database: a primary and a synchronous standby.
    pub database: Mutex<Database>,
    /// Kafka.
    pub kafka: Mutex<PrivateKafka>,
    /// SQS.
    pub sqs: Mutex<PrivateSqs>,
    /// The network between them and the hosts.
    pub network: Network,
    kafka_brokers: String,
}

impl OwnServers {
    /// Starts all of them, for so many hosts and a payment provider at a port. Panics if one does
    /// not start.
    pub async fn start(hosts: usize, provider: u16) -> Self {
        let mut kafka_relays = Vec::new();
        let mut listeners = Vec::new();
        for _ in 0..hosts {
            let port = free_address().port();
            let relay = Relay::start(port).await;
            listeners.push([port, relay.port()]);
            kafka_relays.push(relay);
        }
        // The two that take long start beside the others.
        let kafka = tokio::task::spawn_blocking(move || PrivateKafka::behind(listeners));
        let sqs = tokio::task::spawn_blocking(PrivateSqs::start);
        let gate = Gate::start().await;
        let cache = block_in_place(|| {
            PrivateRedis::start(&["--appendonly", "yes", "--appendfsync", "everysec"])
        });
        let database = Database::start().await;
        let sqs = sqs.await.expect("the local SQS starts");
        let kafka = kafka.await.expect("Kafka starts");
        let mut relays = Vec::new();
        for kafka_relay in kafka_relays {
            relays.push([
                Relay::start(gate.primary.port()).await,
                Relay::start(cache.port()).await,
                Relay::start(database.primary.port()).await,
                kafka_relay,
                Relay::start(sqs.port()).await,
            ]);
        }
        let replicas = [gate.replication.clone(), database.replication.clone()];
        Self {
            network: Network::new(relays, Relay::start(provider).await, replicas),
            gate: Mutex::new(gate),
            cache: Mutex::new(cache),
            database: Mutex::new(database),
            kafka_brokers: kafka.brokers(),
            kafka: Mutex::new(kafka),
            sqs: Mutex::new(sqs),
        }
    }

    /// Addresses for a host: those of its relays.
    pub fn addresses(&self, host: usize) -> Servers {
        let port = |server| self.network.port(host, server);
        Servers {
            redis_url: format!("redis://127.0.0.1:{}", port(Server::Gate)),
            redis_login: None,
            cache_url: format!("redis://127.0.0.1:{}", port(Server::Cache)),
            cache_login: None,
            database_url: database_url(port(Server::Database)),
            database_login: None,
            brokers: format!("127.0.0.1:{}", port(Server::Kafka)),
            kafka_login: None,
            sqs_endpoint: format!("http://127.0.0.1:{}", port(Server::Sqs)),
            authority: None,
        }
    }

    /// Addresses for the checker: those of the servers themselves, as they are now.
    pub async fn direct(&self) -> Servers {
        Servers {
            redis_url: self.gate.lock().await.primary.url(),
            cache_url: self.cache.lock().await.url(),
            database_url: database_url(self.database.lock().await.primary.port()),
            brokers: self.kafka_brokers.clone(),
            ..self.addresses(0)
        }
    }

    /// Brokers without a relay.
    pub fn kafka_brokers(&self) -> &str {
        &self.kafka_brokers
    }

    /// Kills a server, as a power failure of its machine does.
    pub async fn kill(&self, server: Server) {
        match server {
            Server::Gate => self.gate.lock().await.primary.kill(),
            Server::Cache => self.cache.lock().await.kill(),
            Server::Database => self.database.lock().await.primary.crash(),
            Server::Kafka => {
                let kafka = self.kafka.lock().await;
                block_in_place(|| kafka.kill());
            }
            Server::Sqs => {
                let sqs = self.sqs.lock().await;
                block_in_place(|| sqs.kill());
            }
        }
    }

    /// Starts a killed server on its data, and waits until it answers.
    pub async fn start_again(&self, server: Server) -> Result<()> {
        match server {
            Server::Gate => {
                let mut gate = self.gate.lock().await;
                block_in_place(|| gate.primary.start_again());
            }
            Server::Cache => {
                let mut cache = self.cache.lock().await;
                block_in_place(|| cache.start_again());
            }
            Server::Database => {
                let mut database = self.database.lock().await;
                database.primary.start_again();
                database.answers().await;
            }
            Server::Kafka => {
                let kafka = self.kafka.lock().await;
                block_in_place(|| kafka.start_again());
            }
            Server::Sqs => {
                let sqs = self.sqs.lock().await;
                block_in_place(|| sqs.start_again());
            }
        }
        Ok(())
    }

    /// Stops a server where it is, with all connections open.
    pub async fn freeze(&self, server: Server) {
        self.signal(server, Signal::SIGSTOP).await;
    }

    /// Continues a stopped server.
    pub async fn thaw(&self, server: Server) {
        self.signal(server, Signal::SIGCONT).await;
    }

    async fn signal(&self, server: Server, signal: Signal) {
        match server {
            Server::Gate => self.gate.lock().await.primary.signal(signal),
            Server::Cache => self.cache.lock().await.signal(signal),
            Server::Database => {
                let database = self.database.lock().await;
                match signal {
                    Signal::SIGSTOP => database.primary.freeze(),
                    _ => database.primary.thaw(),
                }
            }
            Server::Kafka => self.kafka.lock().await.signal(signal),
            Server::Sqs => self.sqs.lock().await.signal(signal),
        }
    }
}

fn database_url(port: u16) -> String {
    format!("postgres://{DATABASE}@127.0.0.1:{port}/{DATABASE}")
}
