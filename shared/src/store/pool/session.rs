//! A new connection, and what stands behind it.
//!
//! The settings of a session travel as startup options: they cost no statement, and are in force
//! before the first one. One of them has a value that no other client sends. If a statement then
//! finds that value, the session is this connection's own.
//!
//! A pooler in transaction mode refuses startup options (RDS Proxy, `PgBouncer`) or drops them
//! (`PgBouncer` with `ignore_startup_parameters`), and gives each transaction any session of the
//! server. There every transaction sets what its session lacks, and no statement is prepared by
//! name. Settings that the role already has (`ALTER ROLE ... SET`) are not sent.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection, Error, Row, SqlSafeStr, SqlStr};

use crate::store::connect_error::ConnectError;
use crate::store::login::{Login, LoginRequest, LoginSource};

/// Name of the setting that identifies a session. Postgres accepts any name with a dot.
const MARK: &str = "usher.session";

/// An open connection.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: PgConnection,
    /// When it was opened.
    pub(super) opened: Instant,
    /// Set if a pooler may serve each transaction by another session: the statements that begin a
    /// transaction, sent at once.
    pub(super) pooled: Option<SqlStr>,
    /// The process that serves the connection. `None` behind a pooler.
    pub(super) backend: Option<Backend>,
}

/// A process of a server.
#[derive(Debug, Clone)]
pub(super) struct Backend {
    process: i32,
    /// When its server was started, as the server writes it.
    started: String,
}

/// Opens connections.
pub(crate) struct Opener {
    /// `host:port`, for people.
    server: String,
    /// Without settings of the session.
    options: PgConnectOptions,
    login: Option<Arc<dyn LoginSource>>,
    schema: String,
    settings: Vec<(&'static str, String)>,
    /// Value of [`MARK`].
    mark: String,
    /// The server has refused startup options.
    refuses_options: AtomicBool,
}

/// Without the options, which contain a password.
impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut opener = f.debug_struct("Opener");
        opener.field("server", &self.server).finish_non_exhaustive()
    }
}

impl Opener {
    /// Sessions use `schema` alone and these settings.
    pub(crate) fn new(
        options: PgConnectOptions,
        login: Option<Arc<dyn LoginSource>>,
        schema: &str,
        settings: Vec<(&'static str, String)>,
    ) -> Self {
        Self {
            server: format!("{}:{}", options.get_host(), options.get_port()),
            options,
            login,
            schema: schema.to_owned(),
            settings,
            mark: format!("{:016x}", RandomState::new().build_hasher().finish()),
            refuses_options: AtomicBool::new(false),
        }
    }

    /// Opens a connection that takes writes and whose statements find the tables of the schema.
    pub(super) async fn open(&self) -> Result<Session, Error> {
        let connection = self.connect().await?;
        self.examine(connection).await
    }

    /// Logs in; once more if the login was refused and has changed.
    async fn connect(&self) -> Result<PgConnection, Error> {
        let Some(source) = &self.login else {
            return self.connect_with(&self.options).await;
        };
        let no_login = |reason| {
            let server = self.server.clone();
            ConnectError::NoLogin { server, reason }.into_driver()
        };
        let login = source.login(LoginRequest::Connecting).await;
        let login = login.map_err(no_login)?;
        match self.connect_with(&self.options_of(&login)).await {
            Err(error) if is_refused_login(&error) => {
                let next = source.login(LoginRequest::Refused).await;
                let next = next.map_err(no_login)?;
                if next == login {
                    return Err(error);
                }
                self.connect_with(&self.options_of(&next)).await
            }
            connected => connected,
        }
    }

    fn options_of(&self, login: &Login) -> PgConnectOptions {
        let options = self.options.clone().username(&login.user);
        match &login.password {
            Some(password) => options.password(password),
            None => options,
        }
    }

    /// Connects with the settings as startup options, unless the server refuses these.
    async fn connect_with(&self, options: &PgConnectOptions) -> Result<PgConnection, Error> {
        if !self.refuses_options.load(Ordering::Relaxed) {
            match PgConnection::connect_with(&self.with_settings(options)).await {
                Err(error) if is_refused_option(&error) => {
                    self.refuses_options.store(true, Ordering::Relaxed);
                }
                connected => return connected.map_err(|error| self.classified(error)),
            }
        }
        let connected = PgConnection::connect_with(options).await;
        connected.map_err(|error| self.classified(error))
    }

    fn with_settings(&self, options: &PgConnectOptions) -> PgConnectOptions {
        let settings = self.settings.iter();
        options
            .clone()
            .options(settings.map(|(name, value)| (*name, value.as_str())))
            .options([("search_path", self.schema.as_str()), (MARK, &self.mark)])
    }

    fn classified(&self, error: Error) -> Error {
        ConnectError::of_tls(&error, &self.server).map_or(error, ConnectError::into_driver)
    }

    /// Finds out what stands behind a connection.
    async fn examine(&self, mut connection: PgConnection) -> Result<Session, Error> {
        let found = sqlx::raw_sql(include_str!("../sql/session.sql"))
            .fetch_one(&mut connection)
            .await?;
        if found.try_get(1)? {
            let server = self.server.clone();
            return Err(ConnectError::ReadOnly { server }.into_driver());
        }
        let (pooled, backend) = if found.try_get::<&str, _>(0)? == self.mark {
            self.expect_schema(found.try_get(2)?)?;
            let backend = Backend {
                process: found.try_get(3)?,
                started: found.try_get(4)?,
            };
            (None, Some(backend))
        } else {
            let begin = self.begin_pooled(&mut connection).await?;
            let began = sqlx::raw_sql(begin.clone());
            began.execute(&mut connection).await?;
            let schema = sqlx::raw_sql("SELECT coalesce(current_schema(), '')");
            let schema = schema.fetch_one(&mut connection).await?;
            self.expect_schema(schema.try_get(0)?)?;
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await?;
            (Some(begin), None)
        };
        Ok(Session {
            connection,
            opened: Instant::now(),
            pooled,
            backend,
        })
    }

    /// Whether the session of `backend` executes a statement, as another connection finds it.
    pub(super) async fn is_busy(&self, backend: &Backend) -> Result<bool, Error> {
        let mut connection = self.connect().await?;
        sqlx::query_scalar(include_str!("../sql/session_busy.sql"))
            .bind(backend.process)
            .bind(&backend.started)
            .fetch_one(&mut connection)
            .await
    }

    /// A schema that does not exist yet is created by a migration.
    fn expect_schema(&self, found: &str) -> Result<(), Error> {
        if found.is_empty() || found == self.schema {
            return Ok(());
        }
        let error = ConnectError::OtherSchema {
            expected: self.schema.clone(),
            found: found.to_owned(),
        };
        Err(error.into_driver())
    }

    /// `BEGIN`, and what the sessions behind a pooler lack.
    async fn begin_pooled(&self, connection: &mut PgConnection) -> Result<SqlStr, Error> {
        let wanted = self.local_settings().collect::<Vec<_>>();
        let columns = wanted
            .iter()
            .map(|(name, _)| format!("current_setting('{name}')"));
        let columns = columns.collect::<Vec<_>>().join(", ");
        let found = sqlx::raw_sql(AssertSqlSafe(format!("SELECT {columns}")))
            .fetch_one(connection)
            .await?;
        let mut begin = "BEGIN ISOLATION LEVEL READ COMMITTED".to_owned();
        for (at, (name, value)) in wanted.iter().enumerate() {
            if found.try_get::<&str, _>(at)? != *value {
                begin.extend(["; SET LOCAL ", name, " = '", value, "'"]);
            }
        }
        Ok(AssertSqlSafe(begin).into_sql_str())
    }

    /// The settings of a transaction. The others are of the connection between pooler and server,
    /// or part of `BEGIN`.
    fn local_settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter();
        settings
            .map(|(name, value)| (*name, value.as_str()))
            .filter(|(name, _)| {
                !name.starts_with("tcp_") && *name != "default_transaction_isolation"
            })
            .chain([("search_path", self.schema.as_str())])
    }
}

/// 28P01, 28000: of Postgres. 08P01 with such a text: of a pooler.
fn is_refused_login(error: &Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let of_pooler = || error.message().contains("authentication failed");
        match error.code().as_deref() {
            Some("28P01" | "28000") => true,
            Some("08P01") => of_pooler(),
            _ => false,
        }
    })
}

/// Whether a pooler refuses the startup parameter `options`: `PgBouncer` with SQLSTATE 08P01, RDS
/// Proxy as a feature that it does not support.
fn is_refused_option(error: &Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        let text = error.message().to_ascii_lowercase();
        match error.code().as_deref() {
            Some("0A000") => true,
            _ => {
                text.contains("startup parameter")
                    || text.contains("command-line options")
                    || text.contains("feature not supported")
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opener() -> Opener {
        let settings = vec![
            ("jit", "off".to_owned()),
            ("tcp_user_timeout", "20s".to_owned()),
            ("default_transaction_isolation", "read committed".to_owned()),
        ];
        Opener::new(
            PgConnectOptions::new_without_pgpass(),
            None,
            "demo",
            settings,
        )
    }

    #[test]
    fn another_schema_is_refused_with_its_name() {
        let opener = opener();
        assert!(opener.expect_schema("demo").is_ok() && opener.expect_schema("").is_ok());
        let error = opener.expect_schema("public").expect_err("another schema");
        let error = crate::store::StoreError::from(error).to_string();
        assert!(
            error.contains("public") && error.contains("Poolers"),
            "{error}"
        );
    }

    #[test]
    fn a_transaction_sets_what_a_transaction_can() {
        let settings: Vec<_> = opener()
            .local_settings()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        assert_eq!(settings, ["jit off", "search_path demo"]);
    }
}
