//! Logins and certificates of Redis.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use redis_link::{ClientCertificate, Link, LinkError, LinkOptions, SettingNames, TlsMaterial};

use super::{Access, ServerLogin};
use crate::config::Server;

/// The variables of the gate's Redis, for error texts.
const GATE: SettingNames = SettingNames {
    url: "REDIS_GATE_URL",
    login: "REDIS_GATE_USER and REDIS_GATE_PASSWORD, or the secret of REDIS_GATE_SECRET_ARN",
    authorities: AUTHORITIES,
    client_certificate: CLIENT_CERTIFICATE,
};

/// The variables of the Redis of caches and streams.
const CACHE: SettingNames = SettingNames {
    url: "REDIS_CACHE_URL",
    login: "REDIS_CACHE_USER and REDIS_CACHE_PASSWORD, or the secret of REDIS_CACHE_SECRET_ARN",
    authorities: AUTHORITIES,
    client_certificate: CLIENT_CERTIFICATE,
};

const AUTHORITIES: &str = "TLS_CA_FILE or TLS_CA_SECRET_ARN";
const CLIENT_CERTIFICATE: &str =
    "TLS_CERTIFICATE_FILE and TLS_KEY_FILE, or TLS_CERTIFICATE_SECRET_ARN";

impl Access {
    /// A link to the gate's Redis, with its login and all certificates.
    pub fn gate(&self, server: &Server, response_timeout: Duration) -> Result<Link, LinkError> {
        self.link(server, response_timeout, GATE)
    }

    /// A link to the Redis of caches and streams.
    pub fn cache(&self, server: &Server, response_timeout: Duration) -> Result<Link, LinkError> {
        self.link(server, response_timeout, CACHE)
    }

    fn link(
        &self,
        server: &Server,
        response_timeout: Duration,
        names: SettingNames,
    ) -> Result<Link, LinkError> {
        let login = self.login(&server.login);
        let login = login.map_err(|error| LinkError::Protocol(error.to_string()))?;
        let certificates = self.certificates();
        let client = certificates.identity.as_ref().map(|own| ClientCertificate {
            chain: own.certificate.clone(),
            key: own.key.clone(),
        });
        let options = LinkOptions {
            tls: TlsMaterial {
                authorities: certificates.authorities.clone(),
                client,
            },
            login: login.map(|source| Arc::new(source) as Arc<dyn redis_link::LoginSource>),
            names,
        };
        Link::open_with(server.url.as_str(), response_timeout, options)
    }
}

impl redis_link::LoginSource for ServerLogin {
    fn login(
        &self,
        last_was_refused: bool,
    ) -> BoxFuture<'_, Result<Option<redis_link::Login>, redis_link::LoginError>> {
        async move {
            let login = self.login(last_was_refused).await;
            let login = login.map_err(|error| redis_link::LoginError(error.to_string()))?;
            Ok(login.password.map(|password| redis_link::Login {
                user: login.user,
                password: password.expose().to_owned(),
            }))
        }
        .boxed()
    }
}
