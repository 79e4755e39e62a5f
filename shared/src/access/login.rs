//! Logins of servers.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_access::{AccessError, RedisService, SecretArn, SecretText, Version};
use serde::Deserialize;

use super::SourceError;
use super::refreshed::{PAUSE, Refreshed};
use crate::config::{Arn, Secret, SecretRef, TokenTarget};

/// A user and a password, each if there is one. `Debug` prints no password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPassword {
    /// The user.
    pub user: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Where the current login of a server comes from. Clones share what is read.
#[derive(Clone)]
pub struct ServerLogin(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Fixed(UserPassword),
    Secret(Refreshed<UserPassword>),
    Token(Arc<TokenSource>),
}

impl fmt::Debug for ServerLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Kind::Fixed(_) => "ServerLogin(fixed)",
            Kind::Secret(_) => "ServerLogin(secret)",
            Kind::Token(_) => "ServerLogin(token)",
        })
    }
}

impl ServerLogin {
    /// The login to use. `refused`: the server has refused the last one.
    pub async fn login(&self, refused: bool) -> Result<UserPassword, SourceError> {
        match &self.0 {
            Kind::Fixed(login) => Ok(login.clone()),
            Kind::Secret(login) if refused => login.again().await,
            Kind::Secret(login) => login.current().await,
            // A new one each time: it is a signature and needs no request.
            Kind::Token(token) => token.login().await,
        }
    }

    /// From a secret `{"username":"...","password":"..."}`. `user` replaces that of the secret.
    pub(super) fn of_secret(
        access: aws_access::Access,
        secret: &SecretRef,
        user: Option<String>,
    ) -> Result<Self, SourceError> {
        let secret = NamedSecret::new(secret)?;
        let login = Refreshed::new(PAUSE, move |before: Option<UserPassword>| {
            let (access, secret, user) = (access.clone(), secret.clone(), user.clone());
            async move { read(&access, &secret, user, before).await }
        });
        Ok(Self(Kind::Secret(login)))
    }
}

/// A secret, and the variable that names it.
#[derive(Clone)]
pub(super) struct NamedSecret {
    setting: String,
    arn: SecretArn,
}

impl NamedSecret {
    pub(super) fn new(secret: &SecretRef) -> Result<Self, SourceError> {
        let setting = secret.variable.clone();
        match secret.arn.as_str().parse() {
            Ok(arn) => Ok(Self { setting, arn }),
            Err(_) => Err(SourceError::Content {
                setting,
                arn: secret.arn.to_string(),
                expected: "named by the ARN of a secret or of a parameter",
            }),
        }
    }

    pub(super) async fn read(
        &self,
        access: &aws_access::Access,
        version: Version,
    ) -> Result<SecretText, SourceError> {
        let text = access.secret(&self.arn, version).await;
        text.map_err(|error| SourceError::Aws {
            setting: self.setting.clone(),
            error,
        })
    }

    pub(super) fn unlike(&self, expected: &'static str) -> SourceError {
        SourceError::Content {
            setting: self.setting.clone(),
            arn: self.arn.to_string(),
            expected,
        }
    }
}

#[derive(Deserialize)]
struct Content {
    username: Option<String>,
    password: String,
}

/// The current version. If it is the one before, which the server has refused, the pending version,
/// if there is one.
async fn read(
    access: &aws_access::Access,
    secret: &NamedSecret,
    user: Option<String>,
    before: Option<UserPassword>,
) -> Result<UserPassword, SourceError> {
    let parsed = |text: SecretText| {
        let content: Content = strict_json::from_str(text.expose())
            .map_err(|_| secret.unlike(r#"{"username":"...","password":"..."} in JSON"#))?;
        Ok(UserPassword {
            user: user.clone().or(content.username),
            password: Some(Secret::new(content.password)),
        })
    };
    let current = parsed(secret.read(access, Version::Current).await?)?;
    if before.as_ref() != Some(&current) {
        return Ok(current);
    }
    match secret.read(access, Version::Pending).await {
        Ok(pending) => parsed(pending),
        Err(SourceError::Aws {
            error: AccessError::NotFound { .. },
            ..
        }) => Ok(current),
        Err(error) => Err(error),
    }
}

/// Makes tokens of IAM.
pub(super) struct TokenSource {
    pub(super) access: aws_access::Access,
    /// Of the login, for error texts.
    pub(super) setting: String,
    pub(super) user: String,
    pub(super) target: TokenTarget,
}

impl TokenSource {
    async fn login(&self) -> Result<UserPassword, SourceError> {
        let token = match &self.target {
            TokenTarget::Database { host, port } => {
                self.access.database_token(host, *port, &self.user).await
            }
            TokenTarget::Redis(arn) => {
                let (service, name) = redis(arn);
                self.access.redis_token(service, name, &self.user).await
            }
        };
        let token = token.map_err(|error| SourceError::Aws {
            setting: self.setting.clone(),
            error,
        })?;
        Ok(UserPassword {
            user: Some(self.user.clone()),
            password: Some(Secret::new(token.text.expose())),
        })
    }
}

/// `replicationgroup:NAME`, `serverlesscache:NAME` or, of MemoryDB, `cluster/NAME`.
fn redis(arn: &Arn) -> (RedisService, &str) {
    let whole = arn.resource();
    let service = match arn.service() {
        "memorydb" => RedisService::MemoryDb,
        _ if whole.starts_with("serverlesscache:") => RedisService::ElastiCacheServerless,
        _ => RedisService::ElastiCache,
    };
    (service, whole.rsplit([':', '/']).next().unwrap_or_default())
}

/// Makes the tokens with which Kafka clients log in to MSK.
#[derive(Debug, Clone)]
pub struct KafkaTokens(pub(super) aws_access::Access);

impl KafkaTokens {
    /// A token, and when it expires.
    pub async fn token(&self) -> Result<(Secret, SystemTime), SourceError> {
        let token = self
            .0
            .kafka_token()
            .await
            .map_err(|error| SourceError::Aws {
                setting: "KAFKA_SECURITY is iam".to_owned(),
                error,
            })?;
        Ok((Secret::new(token.text.expose()), token.expires))
    }
}
