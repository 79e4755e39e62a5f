//! Checks of clusters before the start.

use std::time::Duration;

use sam_template::model::{Application, Destination, KafkaMapping, KafkaSecurity};
use sam_template::project::local_servers;

use super::kind::enabled;
use super::probe::probe;
use crate::doctor::{Finding, Severity};
use crate::reachable::any_accepts;

/// Time for a broker to list its topics.
const BROKER_TIMEOUT: Duration = Duration::from_secs(8);

/// A cluster and its mappings.
struct Cluster<'a> {
    servers: &'a str,
    security: &'a KafkaSecurity,
    mappings: Vec<&'a KafkaMapping>,
}

/// Checks every cluster once. Missing topics are warnings: they may be created later.
pub(super) async fn findings(app: &Application) -> Vec<Finding> {
    let mut found = Vec::new();
    for cluster in clusters(app) {
        found.extend(cluster.findings().await);
    }
    found
}

fn clusters(app: &Application) -> Vec<Cluster<'_>> {
    let mut clusters: Vec<Cluster<'_>> = Vec::new();
    for mapping in enabled(app) {
        let servers = mapping.bootstrap_servers.as_str();
        let security = &mapping.security;
        match clusters
            .iter_mut()
            .find(|cluster| (cluster.servers, cluster.security) == (servers, security))
        {
            Some(cluster) => cluster.mappings.push(mapping),
            None => clusters.push(Cluster {
                servers,
                security,
                mappings: vec![mapping],
            }),
        }
    }
    clusters
}

impl Cluster<'_> {
    /// Whether it responds and accepts the login, and the topics of each mapping.
    async fn findings(&self) -> Vec<Finding> {
        let local = local_servers(self.servers);
        if !local.is_empty() && !any_accepts(&local).await {
            return vec![Finding::fail(format!(
                "Kafka at {} does not answer (nothing listens there). Start it, or name another in \
                 usher.toml",
                self.servers
            ))];
        }
        let servers = self.servers.to_owned();
        let security = self.security.clone();
        let topics = self.mappings.iter().flat_map(|one| needed_topics(one));
        let topics: Vec<String> = topics.collect();
        let work = move || probe(&servers, &security, &topics, BROKER_TIMEOUT);
        let missing = match tokio::task::spawn_blocking(work).await {
            Ok(Ok(missing)) => missing,
            Ok(Err(why)) => return vec![Finding::fail(why)],
            Err(error) => return vec![Finding::fail(error.to_string())],
        };
        let mappings = self.mappings.iter();
        mappings.flat_map(|one| of_topics(one, &missing)).collect()
    }
}

/// The topics that a mapping reads, and the one that receives its failure records.
fn needed_topics(mapping: &KafkaMapping) -> Vec<String> {
    let mut topics = mapping.topics.clone();
    if let Some(Destination::KafkaTopic(topic)) = &mapping.on_failure {
        topics.push(topic.clone());
    }
    topics
}

/// The findings of a mapping's topics, given those that its cluster does not have.
fn of_topics(mapping: &KafkaMapping, missing: &[String]) -> Vec<Finding> {
    let topics = needed_topics(mapping);
    let place = &mapping.bootstrap_servers;
    let passed = format!("{}: topic {} at {place}", mapping.id, topics.join(", "));
    let problem = |topic: &String| {
        format!(
            "there is no topic {topic} at {place}. It is read as soon as it exists; create it, or \
             name another"
        )
    };
    let absent = topics.iter().filter(|topic| missing.contains(topic));
    Finding::each(&passed, Severity::Warn, absent.map(problem).collect())
}
