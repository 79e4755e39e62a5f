//! A database: its address, what verifies it, and the login.

use std::fmt;
use std::sync::Arc;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::StoreError;
use super::login::LoginSource;
use crate::config::postgres::{PostgresUrlError, SslMode, is_this_machine, ssl_mode};

/// A database and how it is reached. `Debug` prints no secret.
///
/// Connections use TLS and verify chain, name and dates of the server's certificate, unless the
/// address has `sslmode=disable`, or has no `sslmode` and leads to this machine.
#[derive(Clone)]
pub struct Database {
    url: String,
    authorities: Vec<u8>,
    identity: Option<ClientIdentity>,
    pub(super) login: Option<Arc<dyn LoginSource>>,
}

/// The certificate of a client with its private key.
#[derive(Clone)]
struct ClientIdentity {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Database {
    /// `url` is `postgres://[user[:password]@]host[:port]/name[?sslmode=...]`; user and password in
    /// it are percent-encoded.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authorities: Vec::new(),
            identity: None,
            login: None,
        }
    }

    /// Trusts these authorities beside the public ones: certificates in PEM, any number.
    #[must_use]
    pub fn trusting(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.authorities = authorities.into();
        self
    }

    /// Presents a client certificate, with its chain, and its private key, both in PEM.
    #[must_use]
    pub fn presenting(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some(ClientIdentity {
            certificate: certificate.into(),
            key: key.into(),
        });
        self
    }

    /// Logs in as the source says, instead of as the address does.
    #[must_use]
    pub fn login(mut self, source: Arc<dyn LoginSource>) -> Self {
        self.login = Some(source);
        self
    }

    /// Options of the driver, without settings of the session.
    pub(super) fn options(&self) -> Result<PgConnectOptions, StoreError> {
        let options: PgConnectOptions = self.url.parse().map_err(|e| unreadable(&e))?;
        let host = options.get_host();
        let own = options.get_socket().is_some() || is_this_machine(host);
        let mode = match ssl_mode(&self.url).map_err(|e| refused(&e))? {
            SslMode::Unset if own => PgSslMode::Disable,
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Unset | SslMode::VerifyFull => PgSslMode::VerifyFull,
        };
        // Set even if empty: the driver would read the files that PGSSLROOTCERT names.
        let mut options = options
            .ssl_mode(mode)
            .ssl_root_cert_from_pem(self.authorities.clone())
            // PgBouncer refuses this parameter, and values are read in binary form.
            .extra_float_digits(None)
            .disable_statement_logging();
        if let Some(identity) = &self.identity {
            options = options
                .ssl_client_cert_from_pem(&identity.certificate)
                .ssl_client_key_from_pem(&identity.key);
        }
        Ok(options)
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut database = f.debug_struct("Database");
        database.field("login", &self.login).finish_non_exhaustive()
    }
}

/// The URL itself is not repeated, because it may contain a password.
fn unreadable(e: &sqlx::Error) -> StoreError {
    StoreError {
        hint: "; DATABASE_URL must look like postgres://user:password@host:5432/database",
        ..StoreError::unknown(format!("the database URL cannot be read: {e}"))
    }
}

fn refused(e: &PostgresUrlError) -> StoreError {
    StoreError {
        hint: "; give sslmode=verify-full or sslmode=disable in DATABASE_URL, and certificates in \
               TLS_CA_FILE, TLS_CERTIFICATE_FILE and TLS_KEY_FILE",
        ..StoreError::unknown(format!("the database URL {e}"))
    }
}
