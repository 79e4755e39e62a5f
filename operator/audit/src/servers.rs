//! Clients of `PostgreSQL` and Redis: address, login, and the authority of their certificates.

use std::path::Path;

use anyhow::{Context, Result};
use redis::{Client, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use sqlx::postgres::PgConnectOptions;

/// A user and a password.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Login<'a> {
    user: &'a str,
    password: &'a str,
}

impl<'a> Login<'a> {
    /// Both, or none: then the URL contains them.
    pub(crate) fn of(user: Option<&'a str>, password: Option<&'a str>) -> Option<Self> {
        let (user, password) = (user?, password?);
        Some(Self { user, password })
    }
}

/// Reads a file of certificates.
pub(crate) fn authority(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("--tls-ca-file {} cannot be read", file.display()))
}

/// Options of a connection to `PostgreSQL`.
pub(crate) fn database(
    url: &str,
    login: Option<Login<'_>>,
    authority: Option<&[u8]>,
) -> Result<PgConnectOptions> {
    let options: PgConnectOptions = url.parse().context("--database-url is no PostgreSQL URL")?;
    let options = match login {
        Some(Login { user, password }) => options.username(user).password(password),
        None => options,
    };
    Ok(match authority {
        Some(pem) => options.ssl_root_cert_from_pem(pem.to_vec()),
        None => options,
    })
}

/// A client of Redis; it uses TLS if the URL begins with `rediss:`.
pub(crate) fn redis(
    url: &str,
    login: Option<Login<'_>>,
    authority: Option<&[u8]>,
) -> Result<Client> {
    let info = url.into_connection_info();
    let mut info: ConnectionInfo = info.context("--redis-url is no Redis URL")?;
    if let Some(Login { user, password }) = login {
        let settings = info.redis_settings().clone();
        info = info.set_redis_settings(settings.set_username(user).set_password(password));
    }
    let Some(root_cert) = authority.filter(|_| url.starts_with("rediss:")) else {
        return Ok(Client::open(info)?);
    };
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(root_cert.to_vec()),
    };
    Ok(Client::build_with_tls(info, certificates)?)
}
