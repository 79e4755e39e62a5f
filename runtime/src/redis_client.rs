//! The Redis of `[endpoints]`: one server, a cluster, or the primary that Sentinels name.

use std::time::Duration;

use redis_link::{Link, LinkError, LinkOptions, SettingNames, TlsMaterial};
use sam_template::model::RedisEndpoint;

const ENDPOINT: &str = "redis under [endpoints] of usher.toml";
const NAMES: SettingNames = SettingNames {
    url: ENDPOINT,
    login: ENDPOINT,
    authorities: "redis-ca under [endpoints] of usher.toml",
    client_certificate: ENDPOINT,
};

/// A link that trusts the endpoint's authorities beside those built in. It connects on first use.
/// `response_timeout` bounds each call.
///
/// # Errors
/// The address or the authorities cannot be read.
pub(crate) fn link(
    endpoint: &RedisEndpoint,
    response_timeout: Duration,
) -> Result<Link, LinkError> {
    let options = LinkOptions {
        names: NAMES,
        tls: TlsMaterial {
            authorities: endpoint.ca.clone().unwrap_or_default().into_bytes(),
            client: None,
        },
        ..LinkOptions::default()
    };
    Link::open_with(&endpoint.url, response_timeout, options)
}

/// Hosts and ports, for messages: the URL may contain a password.
pub(crate) fn address(endpoint: &RedisEndpoint) -> String {
    let url = &endpoint.url;
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let hosts = rest.rsplit_once('@').map_or(rest, |(_, hosts)| hosts);
    let hosts = hosts.split(['/', '?', '#']).next().unwrap_or_default();
    if hosts.contains(',') || is_sentinel(endpoint) || has_port(hosts) {
        hosts.to_owned()
    } else {
        format!("{hosts}:6379")
    }
}

/// Whether the endpoint is a cluster, in which all keys of a stream must have one hash tag.
pub(crate) fn is_cluster(endpoint: &RedisEndpoint) -> bool {
    has_parameter(&endpoint.url, |parameter| parameter == "cluster=true")
}

/// Whether the endpoint names Sentinels, whose default port is another one.
pub(crate) fn is_sentinel(endpoint: &RedisEndpoint) -> bool {
    has_parameter(&endpoint.url, |parameter| {
        parameter.starts_with("sentinel=")
    })
}

fn has_parameter(url: &str, wanted: impl Fn(&str) -> bool) -> bool {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    parameters.split('&').any(wanted)
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str) -> RedisEndpoint {
        RedisEndpoint {
            url: url.to_owned(),
            ca: None,
        }
    }

    #[test]
    fn an_address_has_no_login() {
        for (url, expected) in [
            ("redis://localhost", "localhost:6379"),
            ("rediss://user:w%40rd@[::1]/3", "[::1]:6379"),
            ("redis://user:word@a:1,b:2?cluster=true", "a:1,b:2"),
            ("redis://a?sentinel=gate", "a"),
        ] {
            assert_eq!(address(&endpoint(url)), expected, "{url}");
        }
    }

    #[test]
    fn only_the_parameter_makes_a_cluster() {
        assert!(is_cluster(&endpoint(
            "redis://a:1/?protocol=resp3&cluster=true"
        )));
        for url in ["redis://cluster=true@a", "redis://a?cluster=false"] {
            assert!(!is_cluster(&endpoint(url)), "{url}");
        }
    }
}
