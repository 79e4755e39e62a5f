//! The address of Redis: one server, a cluster, or a primary that Sentinels name.

use std::fmt;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo};

use super::LinkError;
use super::login::Login;

/// Port of a Sentinel whose address names none.
const SENTINEL_PORT: u16 = 26379;

/// Where a server listens. Prints as `host:port`, or as the path of a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    Tcp { host: String, port: u16 },
    Unix(std::path::PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    /// One server.
    Server(Address),
    /// A cluster, found through any of these nodes.
    Cluster(Vec<Address>),
    /// The primary that these Sentinels call by this name.
    Sentinels(Vec<Address>, String),
}

/// A parsed address.
pub(super) struct ParsedUrl {
    pub(super) topology: Topology,
    /// `rediss://`.
    pub(super) tls: bool,
    /// User and password, decoded.
    pub(super) login: Option<Login>,
    /// Database and protocol.
    pub(super) settings: RedisConnectionInfo,
}

/// Why an address is not usable. The texts do not contain it: it may hold a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    #[error("it must begin with redis:// or rediss:// (TLS)")]
    Scheme,
    #[error("{0}")]
    Part(String),
    #[error("cluster must be true or false")]
    Cluster,
    #[error("it names both a cluster and a sentinel")]
    Both,
    #[error(
        "several hosts need ?cluster=true (nodes of a cluster) or ?sentinel=NAME (Sentinels, and \
         the name of their primary)"
    )]
    SeveralHosts,
    #[error("a cluster has only database 0")]
    Database,
}

/// Parses `scheme://[user[:password]@]host[:port][,host[:port]...][/database][?parameters]`.
///
/// The parameter `cluster=true` makes the hosts nodes of a cluster; `sentinel=NAME` makes them
/// Sentinels. Every other parameter is that of the client library.
pub(super) fn parse(url: &str) -> Result<ParsedUrl, LinkError> {
    parts(url).map_err(|error| {
        LinkError::Protocol(format!("the address of Redis is not usable: {error}"))
    })
}

fn parts(url: &str) -> Result<ParsedUrl, AddressError> {
    let (scheme, rest) = url.split_once("://").ok_or(AddressError::Scheme)?;
    if scheme.ends_with("unix") {
        let (address, settings) = library(url)?;
        return Ok(ParsedUrl {
            topology: Topology::Server(address),
            tls: false,
            login: login(&settings),
            settings,
        });
    }
    let tls = ["rediss", "valkeys"]
        .iter()
        .any(|tls| scheme.eq_ignore_ascii_case(tls));
    // The library's own scheme for TLS is not used: it would be refused where TLS is not built in.
    let plain = if tls { "redis" } else { scheme };
    let (before, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = before.split_at(before.find('/').unwrap_or(before.len()));
    let (userinfo, hosts) = authority
        .rsplit_once('@')
        .map_or(("", authority), |(userinfo, hosts)| (userinfo, hosts));
    let at = if userinfo.is_empty() { "" } else { "@" };

    let (mut cluster, mut sentinel, mut others) = (false, None, Vec::new());
    for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
        match parameter.split_once('=') {
            Some(("cluster", "true")) => cluster = true,
            Some(("cluster", "false")) => cluster = false,
            Some(("cluster", _)) => return Err(AddressError::Cluster),
            Some(("sentinel", name)) => sentinel = Some(name.to_owned()),
            _ => others.push(parameter),
        }
    }
    let others = others.join("&");
    let mut addresses = Vec::new();
    let mut settings = RedisConnectionInfo::default();
    for host in hosts.split(',') {
        let one = format!("{plain}://{userinfo}{at}{host}{path}?{others}");
        let (mut address, read) = library(&one)?;
        if let (Address::Tcp { port, .. }, Some(_), false) =
            (&mut address, &sentinel, has_port(host))
        {
            *port = SENTINEL_PORT;
        }
        addresses.push(address);
        settings = read;
    }
    let topology = match (sentinel, cluster) {
        (Some(_), true) => return Err(AddressError::Both),
        (Some(name), false) => Topology::Sentinels(addresses, name),
        (None, true) if settings.db() != 0 => return Err(AddressError::Database),
        (None, true) => Topology::Cluster(addresses),
        (None, false) => match <[Address; 1]>::try_from(addresses) {
            Ok([address]) => Topology::Server(address),
            Err(_) => return Err(AddressError::SeveralHosts),
        },
    };
    Ok(ParsedUrl {
        topology,
        tls,
        login: login(&settings),
        settings,
    })
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':')
        .is_some_and(|(_, port)| !port.contains(']'))
}

/// One address, as the client library reads it.
fn library(url: &str) -> Result<(Address, RedisConnectionInfo), AddressError> {
    let info = url
        .into_connection_info()
        .map_err(|error| AddressError::Part(error.to_string()))?;
    let address = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Address::Tcp {
            host: host.clone(),
            port: *port,
        },
        ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
        _ => return Err(AddressError::Scheme),
    };
    Ok((address, info.redis_settings().clone()))
}

fn login(settings: &RedisConnectionInfo) -> Option<Login> {
    settings.password().map(|password| Login {
        user: settings.username().map(str::to_owned),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(url: &str) -> (String, bool) {
        let parsed = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        let list = |addresses: &[Address]| {
            let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
            texts.join(" ")
        };
        let text = match &parsed.topology {
            Topology::Server(address) => format!("server {address}"),
            Topology::Cluster(nodes) => format!("cluster {}", list(nodes)),
            Topology::Sentinels(hosts, name) => format!("{name} by {}", list(hosts)),
        };
        (text, parsed.tls)
    }

    #[test]
    fn an_address_names_server_cluster_or_sentinels() {
        for (url, expected, tls) in [
            ("redis://a", "server a:6379", false),
            ("redis://u:p@[::1]:7/3", "server [::1]:7", false),
            ("rediss://a:1?cluster=false", "server a:1", true),
            ("rediss://a:1?cluster=true", "cluster a:1", true),
            (
                "redis://u:p@a:1,b,c:3/?cluster=true",
                "cluster a:1 b:6379 c:3",
                false,
            ),
            ("redis://a,b:5?sentinel=gate", "gate by a:26379 b:5", false),
            ("unix:///run/redis.sock", "server /run/redis.sock", false),
        ] {
            assert_eq!(named(url), (expected.to_owned(), tls), "{url}");
        }
    }

    #[test]
    fn login_and_database_apply_to_every_host() {
        let url = "redis://us%40er:p%2Fw@a,b/0?sentinel=gate&protocol=resp3";
        let parsed = parse(url).expect("an address");
        let login = parsed.login.expect("a login");
        assert_eq!(
            (login.user.as_deref(), login.password.as_str()),
            (Some("us@er"), "p/w")
        );
        assert!(parsed.settings.protocol().supports_resp3());
        assert_eq!(parse("redis://a/4").expect("an address").settings.db(), 4);
    }

    #[test]
    fn an_unusable_address_is_refused_without_its_password() {
        for url in [
            "a:6379",
            "http://user:hush@a",
            "redis://user:hush@a,b",
            "redis://user:hush@a?cluster=yes",
            "redis://user:hush@a/2?cluster=true",
            "redis://user:hush@a?cluster=true&sentinel=x",
            "redis://user:hush@a:port",
        ] {
            let Err(LinkError::Protocol(text)) = parse(url).map(drop) else {
                panic!("{url}");
            };
            assert!(!text.contains("hush"), "{text}");
        }
    }
}
