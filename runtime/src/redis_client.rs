//! Clients of the Redis of `[endpoints]`, outside the driver of its streams.

use redis::{Client, RedisResult, TlsCertificates};
use sam_template::model::RedisEndpoint;

/// A client that trusts the endpoint's authorities if it has any, else those of the system.
pub(crate) fn of(endpoint: &RedisEndpoint) -> RedisResult<Client> {
    let Some(ca) = endpoint
        .ca
        .as_ref()
        .filter(|_| endpoint.url.starts_with("rediss:"))
    else {
        return Client::open(endpoint.url.as_str());
    };
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(ca.clone().into_bytes()),
    };
    Client::build_with_tls(endpoint.url.as_str(), certificates)
}
