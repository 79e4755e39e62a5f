//! The run's own servers, each behind a link.

mod database;
mod gate;

use anyhow::Result;
use nix::sys::signal::Signal;
use testkit::kafka::PrivateKafka;
use testkit::link::Link;
use testkit::net::free_address;
use testkit::private_sqs::PrivateSqs;
use testkit::redis::PrivateRedis;
use ticket_rush::locations::Servers;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

pub use database::Database;
pub use gate::Gate;

use crate::kind::Server;

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
    links: [Link; 5],
    kafka_brokers: String,
}

impl OwnServers {
    /// Starts all of them. Panics if one does not start.
    pub async fn start() -> Self {
        let kafka_port = free_address().port();
        let kafka_link = Link::start(kafka_port).await;
        let advertised = kafka_link.port();
        // The two that take long start beside the others.
        let kafka =
            tokio::task::spawn_blocking(move || PrivateKafka::behind(advertised, kafka_port));
        let sqs = tokio::task::spawn_blocking(PrivateSqs::start);
        let gate = Gate::start().await;
        let cache = block_in_place(|| {
            PrivateRedis::start(&["--appendonly", "yes", "--appendfsync", "everysec"])
        });
        let database = Database::start().await;
        let sqs = sqs.await.expect("the local SQS starts");
        let kafka = kafka.await.expect("Kafka starts");
        let links = [
            Link::start(gate.primary.port()).await,
            Link::start(cache.port()).await,
            Link::start(database.primary.port()).await,
            kafka_link,
            Link::start(sqs.port()).await,
        ];
        Self {
            gate: Mutex::new(gate),
            cache: Mutex::new(cache),
            database: Mutex::new(database),
            kafka_brokers: kafka.brokers(),
            kafka: Mutex::new(kafka),
            sqs: Mutex::new(sqs),
            links,
        }
    }

    /// The link between the system and a server.
    pub fn link(&self, server: Server) -> &Link {
        &self.links[server as usize]
    }

    /// Addresses for the system: those of the links.
    pub fn addresses(&self) -> Servers {
        let port = |server| self.link(server).port();
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
            ..self.addresses()
        }
    }

    /// Brokers without the link.
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
