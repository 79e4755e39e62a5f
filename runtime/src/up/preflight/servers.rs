//! Checks the brokers, servers and ports around the application, before the build and at the start.
//!
//! A server of a function's variable passes if it accepts a connection: its protocol and its
//! credentials concern the function only. The checks connect to this machine only.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::listener::{Endpoint, Listener};
use crate::sources::{kafka, sqs};
use sam_template::model::{Application, Destination, KafkaMapping, KafkaSecurity};
use sam_template::project::{InvalidPort, LocalServer, local_servers};

/// Time for a broker to list its topics.
const BROKER_TIMEOUT: Duration = Duration::from_secs(8);
/// Time for a server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Everything that the application needs and that is not there, a sentence each.
pub async fn missing(app: &Application, endpoints: &[Endpoint]) -> Vec<String> {
    let (brokers, queues, servers) =
        tokio::join!(brokers(app), queues(app), servers(app, endpoints));
    let mut problems: Vec<String> = brokers.into_iter().chain(queues).chain(servers).collect();
    for endpoint in endpoints {
        problems.extend(
            Listener::bind(*endpoint)
                .await
                .err()
                .map(|error| error.to_string()),
        );
    }
    problems
}

/// Checks every cluster once. Missing topics get a warning only: they may be created later.
async fn brokers(app: &Application) -> Vec<String> {
    let mut clusters: Vec<(&str, &KafkaSecurity, Vec<String>)> = Vec::new();
    for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
        let topics = needed_topics(mapping);
        let servers = mapping.bootstrap_servers.as_str();
        let security = &mapping.security;
        match clusters
            .iter_mut()
            .find(|cluster| (cluster.0, cluster.1) == (servers, security))
        {
            Some(cluster) => cluster.2.extend(topics),
            None => clusters.push((servers, security, topics)),
        }
    }
    let mut problems = Vec::new();
    for (servers, security, topics) in clusters {
        let local: Vec<LocalServer> = local_servers(servers);
        if !local.is_empty() && !any_accepts(&local).await {
            problems.push(format!(
                "Kafka at {servers} does not answer (nothing listens there). Start it, or name \
                 another in usher.toml"
            ));
            continue;
        }
        match missing_topics(servers, security, topics).await {
            Ok(missing) if missing.is_empty() => {}
            Ok(missing) => tracing::warn!(
                ?missing,
                "topics do not exist yet; they are read as soon as they do"
            ),
            Err(problem) => problems.push(problem),
        }
    }
    problems
}

/// The topics that a mapping reads, and the one that receives its failure records.
pub(crate) fn needed_topics(mapping: &KafkaMapping) -> Vec<String> {
    let mut topics = mapping.topics.clone();
    if let Some(Destination::KafkaTopic(topic)) = &mapping.on_failure {
        topics.push(topic.clone());
    }
    topics
}

/// The topics that a cluster does not have.
///
/// # Errors
/// The cluster does not respond, or rejects the login or certificate.
pub(crate) async fn missing_topics(
    servers: &str,
    security: &KafkaSecurity,
    topics: Vec<String>,
) -> Result<Vec<String>, String> {
    let servers = servers.to_owned();
    let security = security.clone();
    let probe = move || kafka::probe(&servers, &security, &topics, BROKER_TIMEOUT);
    let probed = tokio::task::spawn_blocking(probe).await;
    let probed = probed.map_err(|error| error.to_string())?;
    probed.map_err(|error| error.to_string())
}

/// Checks SQS once, if the application uses it, and the queues that the template does not create.
async fn queues(app: &Application) -> Vec<String> {
    let Some(sqs) = sqs::Sqs::of(app).filter(|_| app.uses_sqs()) else {
        return Vec::new();
    };
    match sqs.probe().await {
        Ok(()) => sqs::missing(&sqs, app).await,
        Err(problem) => vec![problem.to_string()],
    }
}

/// Checks every server of this machine that a function's variable names. One that speaks HTTP may
/// be started later: it gets a warning only.
async fn servers(app: &Application, endpoints: &[Endpoint]) -> Vec<String> {
    let own_ports: BTreeSet<u16> = endpoints
        .iter()
        .map(|endpoint| endpoint.address.port())
        .collect();
    let brokers: Vec<LocalServer> = app
        .kafka
        .iter()
        .filter(|mapping| mapping.enabled)
        .flat_map(|mapping| local_servers(&mapping.bootstrap_servers))
        .collect();
    let mut named_by: BTreeMap<LocalServer, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for function in app.functions.values() {
        for (variable, value) in &function.environment {
            let named = local_servers(value).into_iter();
            for server in named.filter(|server| {
                !brokers.contains(server)
                    && !server
                        .port
                        .as_ref()
                        .is_ok_and(|port| own_ports.contains(port))
            }) {
                named_by
                    .entry(server)
                    .or_default()
                    .entry(variable)
                    .or_default()
                    .insert(&function.id);
            }
        }
    }
    let mut problems = Vec::new();
    for (server, variables) in named_by {
        let at = variables.iter().map(|(variable, functions)| {
            let functions: Vec<&str> = functions.iter().copied().collect();
            format!("{variable} of {}", functions.join(", "))
        });
        let by = at.collect::<Vec<_>>().join("; ");
        let wrong = match &server.port {
            Err(InvalidPort { written }) => format!(
                "the port '{written}' of {} ({by}) is no port. Write a number from 1 to 65535",
                server.host
            ),
            Ok(_) if accepts(&server).await => continue,
            Ok(port) => format!(
                "nothing listens at {}:{port}, which the variable {by} names. Start that server, \
                 or name another: with a parameter in usher.toml, or with --env-vars",
                server.host
            ),
        };
        if server.is_http && server.port.is_ok() {
            tracing::warn!("{wrong}");
        } else {
            problems.push(wrong);
        }
    }
    problems
}

async fn any_accepts(servers: &[LocalServer]) -> bool {
    for server in servers {
        if accepts(server).await {
            return true;
        }
    }
    false
}

async fn accepts(server: &LocalServer) -> bool {
    let Ok(port) = server.port else { return false };
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    matches!(
        tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await,
        Ok(Ok(_))
    )
}
