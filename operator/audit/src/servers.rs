//! `PostgreSQL` and Redis: addresses, logins, and certificates of both.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use redis_link::{ClientCertificate, FixedLogin, Link, LinkOptions, Login, TlsMaterial};
use sqlx::postgres::PgConnectOptions;

/// How long Redis may take for one request.
const RESPONSE: Duration = Duration::from_secs(10);

/// The servers, as the functions name them.
#[derive(Args, Debug)]
pub(crate) struct Servers {
    /// `PostgreSQL`; `sslmode` is a parameter of the address.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "postgres://usher:usher@127.0.0.1:15432/usher",
        hide_env_values = true
    )]
    database_url: String,
    /// Its user, if the address has none.
    #[arg(long, env = "DATABASE_USER", requires = "database_password")]
    database_user: Option<String>,
    /// The user's password, as it is.
    #[arg(long, env = "DATABASE_PASSWORD", hide_env_values = true)]
    database_password: Option<String>,
    /// The gate's Redis: redis://, rediss://, with ?sentinel=NAME or ?cluster=true.
    #[arg(
        long,
        env = "REDIS_GATE_URL",
        default_value = "redis://127.0.0.1:16379",
        hide_env_values = true
    )]
    redis_url: String,
    /// Its user, if the address has none.
    #[arg(long, env = "REDIS_GATE_USER", requires = "redis_password")]
    redis_user: Option<String>,
    /// The user's password, as it is.
    #[arg(long, env = "REDIS_GATE_PASSWORD", hide_env_values = true)]
    redis_password: Option<String>,
    /// Authorities of both servers' certificates, beside the built-in ones: a file of PEM.
    #[arg(long, env = "TLS_CA_FILE")]
    tls_ca_file: Option<PathBuf>,
    /// The certificate that this client shows to both: a file of PEM.
    #[arg(long, env = "TLS_CERTIFICATE_FILE", requires = "tls_key_file")]
    tls_certificate_file: Option<PathBuf>,
    /// Its private key.
    #[arg(long, env = "TLS_KEY_FILE", requires = "tls_certificate_file")]
    tls_key_file: Option<PathBuf>,
}

impl Servers {
    /// Options of a connection to `PostgreSQL`.
    pub(crate) fn database(&self) -> Result<PgConnectOptions> {
        let options = self.database_url.parse::<PgConnectOptions>();
        let mut options = options.context("--database-url is no PostgreSQL URL")?;
        options = options.application_name("ticket-audit");
        if let (Some(user), Some(password)) = (&self.database_user, &self.database_password) {
            options = options.username(user).password(password);
        }
        if let Some(file) = &self.tls_ca_file {
            options = options.ssl_root_cert_from_pem(pem("--tls-ca-file", file)?);
        }
        if let Some((certificate, key)) = self.identity()? {
            options = options
                .ssl_client_cert_from_pem(certificate)
                .ssl_client_key_from_pem(key);
        }
        Ok(options)
    }

    /// A link to the gate's Redis. It connects on first use.
    pub(crate) fn redis(&self) -> Result<Link> {
        let login = match (&self.redis_user, &self.redis_password) {
            (user, Some(password)) => {
                let (user, password) = (user.clone(), password.clone());
                Some(Arc::new(FixedLogin(Some(Login { user, password }))) as _)
            }
            (_, None) => None,
        };
        let authorities = match &self.tls_ca_file {
            Some(file) => pem("--tls-ca-file", file)?,
            None => Vec::new(),
        };
        let client = self.identity()?;
        let client = client.map(|(chain, key)| ClientCertificate { chain, key });
        let options = LinkOptions {
            tls: TlsMaterial {
                authorities,
                client,
            },
            login,
            ..LinkOptions::default()
        };
        let link = Link::open_with(&self.redis_url, RESPONSE, options);
        link.context("--redis-url is no address of a Redis")
    }

    fn identity(&self) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (Some(certificate), Some(key)) => Ok(Some((
                pem("--tls-certificate-file", certificate)?,
                pem("--tls-key-file", key)?,
            ))),
            _ => Ok(None),
        }
    }
}

/// Reads a file in PEM.
fn pem(option: &str, file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{option} {} cannot be read", file.display()))
}
