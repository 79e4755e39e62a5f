//! How the clients of one cluster reach it, and why it refused them.

mod refusal;
mod security;

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::OAuthToken;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
pub use refusal::{Refusal, RefusalKind};
pub use security::{
    Login, LoginSource, Mechanism, Security, SourceError, TlsIdentity, TlsMaterial, Token,
    TokenSource,
};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Pauses between two requests to the source of a login that the brokers refuse.
const MIN_PAUSE: Duration = Duration::from_secs(2);
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// Timeout of a request to a broker, and of a connection attempt. A connection that has gone silent
/// is replaced after it; the record is sent again. librdkafka's own: a minute, and half a minute.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Called with each new login.
type LoginTarget = Arc<dyn Fn(&Login) + Send + Sync>;

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The source of the login fails.
    #[error("no login for the brokers: {0}")]
    Login(#[source] SourceError),
    /// A token source was given outside a tokio runtime.
    #[error("tokens for the brokers need a tokio runtime")]
    NoRuntime,
}

/// Addresses, encryption and authentication of a cluster, shared by all its clients.
pub struct BrokerAccess {
    servers: String,
    security: Security,
    login: Mutex<Option<Login>>,
    targets: Mutex<Vec<LoginTarget>>,
    refusal: watch::Sender<Option<Refusal>>,
    /// Runs the source of tokens.
    runtime: Option<Handle>,
}

impl BrokerAccess {
    /// Neither encrypted nor authenticated. `servers`: `host:port,...`.
    pub fn plaintext(servers: impl Into<String>) -> Arc<Self> {
        Arc::new(Self::with(servers.into(), Security::Plaintext, None))
    }

    /// Requests the first login. `servers`: `host:port,...`.
    ///
    /// # Errors
    /// There is no login, or no runtime that the source of tokens needs.
    pub async fn open(
        servers: impl Into<String>,
        security: Security,
    ) -> Result<Arc<Self>, AccessError> {
        let login = match &security {
            Security::Login { source, .. } => {
                Some(source.login(false).await.map_err(AccessError::Login)?)
            }
            Security::Token { .. } if Handle::try_current().is_err() => {
                return Err(AccessError::NoRuntime);
            }
            _ => None,
        };
        Ok(Arc::new(Self::with(servers.into(), security, login)))
    }

    fn with(servers: String, security: Security, login: Option<Login>) -> Self {
        Self {
            servers,
            security,
            login: Mutex::new(login),
            targets: Mutex::default(),
            refusal: watch::Sender::new(None),
            runtime: Handle::try_current().ok(),
        }
    }

    /// The addresses.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// The base settings of a client, with the current login.
    pub fn config(&self, client_id: &str) -> ClientConfig {
        let timeout = REQUEST_TIMEOUT.as_millis().to_string();
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.servers)
            .set("client.id", client_id)
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            .set("socket.timeout.ms", &timeout)
            .set("socket.connection.setup.timeout.ms", &timeout)
            .set("reconnect.backoff.max.ms", "1000")
            // Metadata of other topics is not needed.
            .set("topic.metadata.refresh.sparse", "true");
        self.security.configure(&mut config);
        if let Some(login) = &*locked(&self.login) {
            set_login(&mut config, login);
        }
        config
    }

    /// Calls `target` with each further login: see
    /// [`PolledProducer::set_login`](crate::PolledProducer::set_login).
    pub fn on_login(&self, target: impl Fn(&Login) + Send + Sync + 'static) {
        locked(&self.targets).push(Arc::new(target));
    }

    /// To be called by [`rdkafka::ClientContext::error`]. Returns a refusal that was not known, once.
    pub fn failed(&self, error: &KafkaError, reason: &str) -> Option<Refusal> {
        let refusal = Refusal::of(error, reason)?;
        let known = self.refusal.send_replace(Some(refusal.clone()));
        (known.map(|known| known.kind) != Some(refusal.kind)).then_some(refusal)
    }

    /// To be called after a broker has answered a request.
    pub fn succeeded(&self) {
        self.refusal
            .send_if_modified(|refusal| refusal.take().is_some());
    }

    /// Why the brokers refused the last connection, if they did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.borrow().clone()
    }

    /// To be called by [`rdkafka::ClientContext::generate_oauth_token`], on a thread that may block.
    ///
    /// # Errors
    /// The source fails, or the clients have no source of tokens.
    pub fn token(&self) -> Result<OAuthToken, Box<dyn Error>> {
        let (Security::Token { source, .. }, Some(runtime)) = (&self.security, &self.runtime)
        else {
            return Err("there is no source of tokens".into());
        };
        // Text for librdkafka, which cannot take a NUL byte.
        let failed = |error: SourceError| error.to_string().replace('\0', " ");
        Ok(runtime.block_on(source.token()).map_err(failed)?.into())
    }

    /// Runs until it is dropped. While the brokers refuse the login, requests another one from its
    /// source and passes it to the clients. Ends at once if there is no source.
    pub async fn renew_login(self: Arc<Self>) {
        let Security::Login { source, .. } = &self.security else {
            return;
        };
        let mut refusals = self.refusal.subscribe();
        let is_login = |refusal: &Option<Refusal>| {
            let kind = refusal.as_ref().map(|refusal| refusal.kind);
            kind == Some(RefusalKind::Login)
        };
        let mut pause = MIN_PAUSE;
        while refusals.wait_for(is_login).await.is_ok() {
            match source.login(true).await {
                Ok(login) if self.replace_login(&login) => {
                    tracing::info!(servers = self.servers, "the brokers' login was replaced");
                    // librdkafka reports it again, should this one be refused as well.
                    self.succeeded();
                }
                Ok(_) => tracing::warn!(
                    servers = self.servers,
                    "the brokers refuse the login, and its source has no other"
                ),
                Err(error) => tracing::warn!(
                    servers = self.servers,
                    %error,
                    "the brokers refuse the login, and its source fails"
                ),
            }
            tokio::time::sleep(pause).await;
            pause = if is_login(&refusals.borrow()) {
                next_pause(pause)
            } else {
                MIN_PAUSE
            };
        }
    }

    /// Whether this is another login than before. The clients have it then.
    fn replace_login(&self, login: &Login) -> bool {
        let before = locked(&self.login).replace(login.clone());
        if before.as_ref() == Some(login) {
            return false;
        }
        let targets = locked(&self.targets).clone();
        for target in targets {
            target(login);
        }
        true
    }
}

fn next_pause(pause: Duration) -> Duration {
    (pause * 2).min(MAX_PAUSE)
}

/// Writes a login into the settings of a client.
pub(crate) fn set_login(config: &mut ClientConfig, login: &Login) {
    config
        .set("sasl.username", &login.username)
        .set("sasl.password", &login.password);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
