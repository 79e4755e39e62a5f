//! Checks the servers and ports around the application, before the build and at the start.
//!
//! A server of a function's variable passes if it accepts a connection: its protocol and its
//! credentials concern the function only. The checks connect to this machine only.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::{Finding, Severity};
use crate::listener::{Endpoint, Listener};
use crate::reachable::accepts;
use crate::sources;
use sam_template::model::Application;
use sam_template::project::{LocalServer, local_servers};

/// Everything that the application needs and that is not there, a sentence each. Logs what does not
/// stop the start.
pub async fn missing(app: &Application, endpoints: &[Endpoint]) -> Vec<String> {
    let mut problems = Vec::new();
    for Finding { severity, text } in probe(app, endpoints).await {
        match severity {
            Severity::Ok => {}
            Severity::Warn => tracing::warn!("{text}"),
            Severity::Fail => problems.push(text),
        }
    }
    problems
}

/// Checks the servers of the sources, those that functions name, and the ports of the host.
pub async fn probe(app: &Application, endpoints: &[Endpoint]) -> Vec<Finding> {
    let (mut found, servers) = tokio::join!(sources::probe(app), servers(app, endpoints));
    found.extend(servers.into_iter().map(Finding::fail));
    for endpoint in endpoints {
        let refused = Listener::bind(*endpoint).await.err();
        found.extend(refused.map(|error| Finding::fail(error.to_string())));
    }
    found
}

/// Checks every server of this machine that a function's variable names. One that speaks HTTP may
/// be started later: it gets a warning only.
async fn servers(app: &Application, endpoints: &[Endpoint]) -> Vec<String> {
    let own_ports: BTreeSet<u16> = endpoints
        .iter()
        .map(|endpoint| endpoint.address.port())
        .collect();
    let probed = sources::probed_servers(app);
    let mut named_by: BTreeMap<LocalServer, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for function in app.functions.values() {
        for (variable, value) in &function.environment {
            let named = local_servers(value).into_iter();
            for server in named.filter(|server| {
                !probed.contains(server)
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
            Err(text) => format!(
                "the port '{text}' of {} ({by}) is no port. Write a number from 1 to 65535",
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
