//! Why a setting cannot be used.

use std::net::SocketAddr;

use super::SETTINGS;

/// Why an address is refused. The text says what to write instead, and contains no password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// A broker without a port.
    #[error("the broker '{0}' has no port. Write host:port.")]
    BrokerWithoutPort(String),
    /// A broker whose port is not a number from 1 to 65535.
    #[error("the broker '{server}' has the port '{port}'. Write a number from 1 to 65535.")]
    BrokerPort {
        /// The broker, as written.
        server: String,
        /// The text in place of the port.
        port: String,
    },
    /// A broker on another machine that is not allowed.
    #[error(
        "the broker {0} is not this machine. Name a local one in usher.toml under [kafka], or say \
         --allow-remote {0} if that is meant."
    )]
    RemoteBroker(String),
    /// A list of brokers without any.
    #[error("the list of brokers is empty. Write host:port.")]
    NoBroker,
    /// An endpoint that is not the address of an HTTP server.
    #[error("the endpoint '{0}' is not an address that can be called. {shape}", shape = ENDPOINT)]
    Endpoint(String),
    /// An endpoint without a host, or with an invalid port.
    #[error(
        "the endpoint '{0}' has no host, or no port from 1 to 65535. {shape}",
        shape = ENDPOINT
    )]
    EndpointPort(String),
    /// An endpoint on another machine that is not allowed.
    #[error(
        "the endpoint {0} is not this machine. Name a local one, or say --allow-remote {0} if that \
         is meant."
    )]
    RemoteEndpoint(String),
    /// The location of keys is not a URL.
    #[error(
        "jwks: '{0}' is not an address. Write it such as \
         \"https://issuer.example/.well-known/jwks.json\"."
    )]
    Keys(String),
    /// Keys of another machine that is not allowed.
    #[error("jwks: {0} is not this machine. Say --allow-remote {0} if its keys are to be used.")]
    RemoteKeys(String),
    /// Keys of another machine over HTTP.
    #[error("jwks: keys that come from {0} in plain text could be forged. Write https://.")]
    PlainKeys(String),
    /// The password of a Redis has a character that ends the host of a URL.
    #[error(
        "the password in the address of Redis has a /, ? or # in it. Write %2F, %3F or %23 for it."
    )]
    RedisPassword,
    /// The address of a Redis is none.
    #[error("the address of Redis is not one. Write it such as \"redis://127.0.0.1:6379\".")]
    Redis,
    /// A Redis on another machine that is not allowed.
    #[error(
        "the Redis {0} is not this machine. Name a local one, or say --allow-remote {0} if that is \
         meant."
    )]
    RemoteRedis(String),
}

const ENDPOINT: &str = "Write the address alone, such as \"http://127.0.0.1:9324\".";

/// Why a region or an account is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LocationError {
    /// Not the form of a region.
    #[error("'{0}' is not a region. Write for example eu-central-1.")]
    Region(String),
    /// Not the form of an account.
    #[error("'{0}' is not an account. Write twelve digits.")]
    Account(String),
}

/// Why the APIs have no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpAddressError {
    /// An address is for an API that the template does not have.
    #[error(
        "{SETTINGS} [http] names {name}, which is not an API of the template. The APIs are: \
         {known}."
    )]
    UnknownApi {
        /// The name.
        name: String,
        /// The APIs of the template, as a list.
        known: String,
    },
    /// Two APIs have one address.
    #[error(
        "two APIs would listen on {address}. Give {api} an address of its own in {SETTINGS}: \
         [http] {api} = \"127.0.0.1:PORT\"."
    )]
    SameAddress {
        /// The address.
        address: SocketAddr,
        /// The second API, by logical id.
        api: String,
    },
}
