//! What all connections of a link have in common: certificates, login, bounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::{RedisConnectionInfo, RedisError};
use rustls::ClientConfig;

use super::login::{Login, LoginError, LoginSource};
use super::options::SettingNames;
use super::refusal::{Refusal, RefusalReason};

/// Why no connection was made.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ConnectError {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Login(#[from] LoginError),
}

/// What all connections of a link have in common.
pub(super) struct Access {
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) login: Arc<dyn LoginSource>,
    /// Database and protocol.
    settings: RedisConnectionInfo,
    names: SettingNames,
    /// Bounds each connection attempt.
    pub(super) timeout: Duration,
    login_was_refused: AtomicBool,
    /// The refusal in force has been logged.
    reported: AtomicBool,
}

impl Access {
    pub(super) fn new(
        tls: Option<Arc<ClientConfig>>,
        login: Arc<dyn LoginSource>,
        settings: RedisConnectionInfo,
        names: SettingNames,
        timeout: Duration,
    ) -> Self {
        Self {
            tls,
            login,
            settings,
            names,
            timeout,
            login_was_refused: AtomicBool::new(false),
            reported: AtomicBool::new(false),
        }
    }

    /// Records what came of a connection attempt, and logs a refusal once.
    pub(super) fn report<T>(&self, made: &Result<T, ConnectError>) {
        match made {
            Ok(_) => self.reported.store(false, Ordering::Relaxed),
            Err(ConnectError::Refused(refusal)) => {
                if !self.reported.swap(true, Ordering::Relaxed) {
                    tracing::error!(%refusal, "Redis is not used until a setting is corrected");
                }
            }
            Err(_) => {}
        }
    }

    /// Whether the last login was refused. The next attempt begins without this record.
    pub(super) fn take_login_refused(&self) -> bool {
        self.login_was_refused.swap(false, Ordering::Relaxed)
    }

    /// Records that the server demands a login, or refuses the one in use.
    pub(super) fn set_login_refused(&self) {
        self.login_was_refused.store(true, Ordering::Relaxed);
    }

    pub(super) fn refusal(&self, server: &str, reason: RefusalReason) -> Refusal {
        Refusal {
            server: server.to_owned(),
            setting: reason.setting(&self.names),
            reason,
        }
    }

    /// Database, protocol, and this login.
    pub(super) fn settings(&self, login: Option<&Login>) -> RedisConnectionInfo {
        let mut settings = RedisConnectionInfo::default()
            .set_db(self.settings.db())
            .set_protocol(self.settings.protocol());
        if let Some(login) = login {
            if let Some(user) = &login.user {
                settings = settings.set_username(user);
            }
            settings = settings.set_password(&login.password);
        }
        settings
    }
}
