//! Clients that read topics and groups of a cluster for the monitors of its mappings. A client has
//! threads and connections of its own, and so it is shared.

use std::sync::{Arc, Mutex, Weak};

use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaResult;
use sam_template::model::{KafkaMapping, KafkaSecurity};

use super::settings;
use super::silent::SilentContext;
use crate::lock::lock;

/// A client of a cluster that is in no group.
pub(super) type ClusterClient = BaseConsumer<SilentContext>;

/// The clients of a host's clusters, each as long as a monitor uses it. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct ClusterClients(Arc<Mutex<Vec<Cluster>>>);

#[derive(Debug)]
struct Cluster {
    bootstrap_servers: String,
    security: KafkaSecurity,
    client: Weak<ClusterClient>,
}

impl ClusterClients {
    /// The client of a mapping's cluster.
    ///
    /// # Errors
    /// librdkafka refuses a setting.
    pub(super) fn of(&self, mapping: &KafkaMapping) -> KafkaResult<Arc<ClusterClient>> {
        if let Some(client) = open(&mut lock(&self.0), mapping) {
            return Ok(client);
        }
        let created: ClusterClient = config(mapping).create_with_context(SilentContext)?;
        let created = Arc::new(created);
        let mut clusters = lock(&self.0);
        // another monitor may have created one meanwhile
        if let Some(client) = open(&mut clusters, mapping) {
            return Ok(client);
        }
        clusters.push(Cluster {
            bootstrap_servers: mapping.bootstrap_servers.clone(),
            security: mapping.security.clone(),
            client: Arc::downgrade(&created),
        });
        Ok(created)
    }
}

/// The client of a mapping's cluster, if it is open. Forgets closed ones.
fn open(clusters: &mut Vec<Cluster>, mapping: &KafkaMapping) -> Option<Arc<ClusterClient>> {
    clusters.retain(|cluster| cluster.client.strong_count() > 0);
    let cluster = clusters.iter().find(|cluster| {
        cluster.bootstrap_servers == mapping.bootstrap_servers
            && cluster.security == mapping.security
    });
    cluster?.client.upgrade()
}

fn config(mapping: &KafkaMapping) -> ClientConfig {
    let mut config = settings::cluster(mapping);
    config
        .set("client.id", "usher")
        .set("isolation.level", "read_committed")
        .set("allow.auto.create.topics", "false");
    config
}

#[cfg(test)]
mod tests {
    use sam_template::model::KafkaKind;
    use sam_template::model::security::{SaslLogin, SecretText};

    use super::*;
    use crate::sources::kafka::discards::tests::mapping;

    #[test]
    fn mappings_of_one_cluster_share_a_client() {
        let clients = ClusterClients::default();
        let mut one = mapping(KafkaKind::SelfManaged);
        let first = clients.of(&one).unwrap();
        one.id.push_str("Other");
        one.group.push_str("-other");
        let second = clients.of(&one).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        one.bootstrap_servers = "127.0.0.1:2".into();
        assert!(!Arc::ptr_eq(&first, &clients.of(&one).unwrap()));
    }

    #[test]
    fn logins_of_one_user_with_other_passwords_share_none() {
        let clients = ClusterClients::default();
        let mut mapping = mapping(KafkaKind::SelfManaged);
        let mut client = |password: &str| {
            mapping.security.login = Some(SaslLogin {
                mechanism: "PLAIN",
                username: "user".into(),
                password: SecretText::new(password),
            });
            clients.of(&mapping).unwrap()
        };
        assert!(!Arc::ptr_eq(&client("one"), &client("two")));
    }

    #[test]
    fn a_client_ends_with_its_last_user() {
        let clients = ClusterClients::default();
        let mapping = mapping(KafkaKind::SelfManaged);
        let first = Arc::downgrade(&clients.of(&mapping).unwrap());
        assert!(first.upgrade().is_none());
    }
}
