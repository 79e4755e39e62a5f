//! Tokens of IAM as logins of an MSK cluster (SASL OAUTHBEARER).
//!
//! librdkafka requests a token for each client when it is created, and the next one after 80 % of
//! the token's time. It does so by an event, which a poll of the client handles.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;
use aws_access::{Access, Credentials, Endpoints};
use kafka_producer::{SourceError, Token, TokenSource};
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::consumer::{BaseConsumer, ConsumerContext};
use sam_template::model::KafkaSecurity;

/// Time limit of the first token of a client that no thread polls.
const FIRST: Duration = Duration::from_secs(10);

/// How long one poll handles events.
const EVENTS: Duration = Duration::from_millis(10);

/// The tokens of one client's logins.
#[derive(Clone, Default)]
pub(crate) struct ClientTokens {
    /// `None`: the cluster has other logins, or none.
    source: Option<Arc<dyn TokenSource>>,
    requested: Arc<AtomicBool>,
}

impl fmt::Debug for ClientTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTokens").finish_non_exhaustive()
    }
}

impl ClientTokens {
    /// Those of the host's credentials, if the cluster takes tokens.
    pub(crate) fn of(security: &KafkaSecurity) -> Self {
        let source = |region: &String| -> Arc<dyn TokenSource> {
            Arc::new(IamTokens {
                region: region.clone(),
            })
        };
        Self {
            source: security.iam.as_ref().map(source),
            requested: Arc::default(),
        }
    }

    /// To be called by [`ClientContext::generate_oauth_token`], on a thread that may block.
    ///
    /// # Errors
    /// There are no credentials, or no tokens at all.
    pub(crate) fn next(&self) -> Result<OAuthToken, Box<dyn Error>> {
        self.requested.store(true, Ordering::Relaxed);
        let source = self.source.as_ref().ok_or("the cluster has no tokens")?;
        // a runtime of its own: librdkafka's threads have none, and tokens are rare
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let token = runtime.block_on(source.token()).inspect_err(|error| {
            tracing::error!(
                %error,
                "there is no token of IAM for Kafka; librdkafka requests one again after ten \
                 seconds"
            );
        });
        // text for librdkafka, which cannot take a NUL byte
        Ok(token
            .map_err(|error| error.to_string().replace('\0', " "))?
            .into())
    }

    /// Polls a consumer that no thread polls until it has requested a token.
    pub(crate) fn await_first<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        let deadline = Instant::now() + FIRST;
        while self.source.is_some()
            && !self.requested.load(Ordering::Relaxed)
            && Instant::now() < deadline
        {
            consumer.poll(EVENTS);
        }
    }

    /// Polls a consumer that no thread polls, so that a token that is due is renewed.
    pub(crate) fn renew<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        if self.source.is_some() {
            consumer.poll(EVENTS);
        }
    }
}

/// Context of a client that logs as rdkafka does by default.
#[derive(Clone, Default)]
pub(crate) struct TokenContext {
    tokens: ClientTokens,
}

impl TokenContext {
    pub(crate) fn new(tokens: ClientTokens) -> Self {
        Self { tokens }
    }
}

impl ClientContext for TokenContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        self.tokens.next()
    }
}

/// Why the host has no credentials.
#[cfg(not(feature = "credential-chain"))]
#[derive(Debug, thiserror::Error)]
#[error(
    "tokens of IAM for Kafka need AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with \
     AWS_SESSION_TOKEN for those of a role; a host built with the feature credential-chain finds \
     them elsewhere"
)]
struct NoCredentials;

/// Those of the environment, a profile, a container or the machine.
#[cfg(feature = "credential-chain")]
async fn credentials() -> Result<Credentials, SourceError> {
    Ok(Credentials::from_chain().await?)
}

/// Those of the environment.
#[cfg(not(feature = "credential-chain"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn credentials() -> Result<Credentials, SourceError> {
    let given = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let key = given("AWS_ACCESS_KEY_ID").zip(given("AWS_SECRET_ACCESS_KEY"));
    let (id, secret) = key.ok_or(NoCredentials)?;
    Ok(Credentials::new(id, secret, given("AWS_SESSION_TOKEN")))
}

/// Tokens for the host's credentials.
#[derive(Debug)]
struct IamTokens {
    region: String,
}

#[async_trait]
impl TokenSource for IamTokens {
    async fn token(&self) -> Result<Token, SourceError> {
        let access = Access::new(&self.region, credentials().await?, Endpoints::default());
        let token = access.kafka_token().await?;
        let expires = token.expires.duration_since(SystemTime::UNIX_EPOCH)?;
        Ok(Token {
            value: token.text.expose().to_owned(),
            principal: "usher".to_owned(),
            expires_ms: i64::try_from(expires.as_millis())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use rdkafka::ClientConfig;

    use super::*;
    use crate::sources::kafka::silent::SilentContext;

    /// librdkafka looks every second whether a token is due.
    const LIFETIME: Duration = Duration::from_secs(6);

    /// Counts its tokens.
    #[derive(Debug, Default)]
    struct ShortTokens(AtomicUsize);

    #[async_trait]
    impl TokenSource for ShortTokens {
        async fn token(&self) -> Result<Token, SourceError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let expires = (SystemTime::now() + LIFETIME).duration_since(SystemTime::UNIX_EPOCH)?;
            Ok(Token {
                value: "token".to_owned(),
                principal: "usher".to_owned(),
                expires_ms: i64::try_from(expires.as_millis())?,
            })
        }
    }

    #[test]
    fn a_token_is_requested_and_renewed_before_it_expires() {
        let source = Arc::new(ShortTokens::default());
        let tokens = ClientTokens {
            source: Some(source.clone()),
            requested: Arc::default(),
        };
        let context = SilentContext {
            tokens: tokens.clone(),
        };
        let consumer: BaseConsumer<SilentContext> = ClientConfig::new()
            .set("bootstrap.servers", "127.0.0.1:9") // nothing listens there
            .set("security.protocol", "sasl_plaintext")
            .set("sasl.mechanism", "OAUTHBEARER")
            .create_with_context(context)
            .unwrap();
        let begun = Instant::now();
        tokens.await_first(&consumer);
        let made = || source.0.load(Ordering::Relaxed);
        assert_eq!(made(), 1);
        while made() < 2 && begun.elapsed() < LIFETIME {
            tokens.renew(&consumer);
        }
        assert_eq!(made(), 2, "within the lifetime of the first");
    }

    #[test]
    fn a_cluster_without_tokens_is_not_polled_for_one() {
        let tokens = ClientTokens::of(&KafkaSecurity::default());
        assert!(tokens.next().is_err());
    }
}
