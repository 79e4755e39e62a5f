//! What the application needs around it: brokers and servers that answer, ports that are free.
//!
//! Asked before the long build, and once more at the start. A server is asked only whether it takes a connection: what it is
//! and whether it lets the function in is the function's business. Only this machine is asked; other hosts are never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use crate::model::{Application, Destination, Security};
use crate::project::{LocalServer, local_servers};
use crate::{kafka, sqs};

/// How long a broker may take to tell its topics.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a server may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// A place where the host itself will listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Face {
    /// Address.
    pub address: SocketAddr,
    /// For messages: `HTTP API`.
    pub what: &'static str,
    /// Setting that chooses the address.
    pub setting: &'static str,
}

/// Everything that is not as the application needs it, a sentence each.
pub async fn missing(app: &Application, faces: &[Face]) -> Vec<String> {
    let (brokers, queues, servers) = tokio::join!(brokers(app), queues(app), servers(app, faces));
    let mut problems: Vec<String> = brokers.into_iter().chain(queues).chain(servers).collect();
    for face in faces {
        problems.extend(listen(*face).await.err());
    }
    problems
}

/// Opens the port of a face.
///
/// # Errors
/// The sentence to show when it is taken.
pub(super) async fn listen(face: Face) -> Result<TcpListener, String> {
    let Face {
        address,
        what,
        setting,
    } = face;
    TcpListener::bind(address).await.map_err(|error| {
        format!(
            "cannot listen on {address} for the {what}: {error}. Another usher may be running here; else choose another port ({setting})"
        )
    })
}

/// Asks every cluster once. Missing topics are only warned of: they may be created later.
async fn brokers(app: &Application) -> Vec<String> {
    let mut clusters: Vec<(&str, &Security, Vec<String>)> = Vec::new();
    for mapping in app.kafka.iter().filter(|mapping| mapping.enabled) {
        let mut topics = mapping.topics.clone();
        if let Some(Destination::KafkaTopic(topic)) = &mapping.on_failure {
            topics.push(topic.clone());
        }
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
        if !local.is_empty() && !any_answers(&local).await {
            problems.push(format!(
                "Kafka at {servers} does not answer (nothing listens there). Start it, or name another in usher.toml"
            ));
            continue;
        }
        let question = tokio::task::spawn_blocking({
            let servers = servers.to_owned();
            let security = security.clone();
            move || kafka::reach(&servers, &security, &topics, PATIENCE)
        });
        match question.await {
            Ok(Ok(missing)) if missing.is_empty() => {}
            Ok(Ok(missing)) => tracing::warn!(
                ?missing,
                "topics do not exist yet; they are read as soon as they do"
            ),
            Ok(Err(problem)) => problems.push(problem),
            Err(error) => problems.push(error.to_string()),
        }
    }
    problems
}

/// Asks SQS once, if anything uses it, and for the queues that are not the template's to make.
async fn queues(app: &Application) -> Vec<String> {
    let Some(sqs) = sqs::Sqs::of(app).filter(|_| app.uses_sqs()) else {
        return Vec::new();
    };
    match sqs.probe().await {
        Ok(()) => sqs::missing(&sqs, app).await,
        Err(problem) => vec![problem],
    }
}

/// Asks every server of this machine that a function's variable names. One that speaks HTTP may well be started later, by the
/// function's own user: it is only warned of.
async fn servers(app: &Application, faces: &[Face]) -> Vec<String> {
    let known: BTreeSet<u16> = faces.iter().map(|face| face.address.port()).collect();
    let asked: Vec<LocalServer> = app
        .kafka
        .iter()
        .filter(|mapping| mapping.enabled)
        .flat_map(|mapping| local_servers(&mapping.bootstrap_servers))
        .collect();
    let mut wanted: BTreeMap<LocalServer, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for function in app.functions.values() {
        for (variable, value) in &function.environment {
            let named = local_servers(value).into_iter();
            for server in named.filter(|server| {
                !asked.contains(server)
                    && !server.port.as_ref().is_ok_and(|port| known.contains(port))
            }) {
                wanted
                    .entry(server)
                    .or_default()
                    .entry(variable)
                    .or_default()
                    .insert(&function.id);
            }
        }
    }
    let mut problems = Vec::new();
    for (server, variables) in wanted {
        let at = variables.iter().map(|(variable, functions)| {
            let functions: Vec<&str> = functions.iter().copied().collect();
            format!("{variable} of {}", functions.join(", "))
        });
        let by = at.collect::<Vec<_>>().join("; ");
        let wrong = match &server.port {
            Err(text) => format!(
                "the port '{text}' of {} ({by}) is no port. Write a number from 1 to 65535",
                server.host
            ),
            Ok(_) if answers(&server).await => continue,
            Ok(port) => format!(
                "nothing listens at {}:{port}, which the variable {by} names. Start that server, or name another: with a parameter \
                 in usher.toml, or with --env-vars",
                server.host
            ),
        };
        if server.speaks_http && server.port.is_ok() {
            tracing::warn!("{wrong}");
        } else {
            problems.push(wrong);
        }
    }
    problems
}

async fn any_answers(servers: &[LocalServer]) -> bool {
    for server in servers {
        if answers(server).await {
            return true;
        }
    }
    false
}

async fn answers(server: &LocalServer) -> bool {
    let Ok(port) = server.port else { return false };
    let host = server.host.trim_start_matches('[').trim_end_matches(']');
    matches!(
        tokio::time::timeout(CONNECT, TcpStream::connect((host, port))).await,
        Ok(Ok(_))
    )
}
