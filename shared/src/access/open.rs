//! From settings to sources.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_access::{Credentials, Endpoints, RedisService, SecretText, Version};
use futures::future::{try_join, try_join_all};
use serde::Deserialize;

use super::login::{Kind, Login, LoginSource, SecretSetting, TokenSource, TokenTarget};
use super::{AccessSettings, AwsSettings, Keys, SourceError};
use crate::config::tls::variable;
use crate::config::{Arn, IdentitySetting, LoginSetting, PemSetting, Server, Url};

/// The certificates of all clients of a process, and access to AWS. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Access {
    aws: Option<aws_access::Access>,
    certificates: Arc<Certificates>,
}

/// Certificates in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certificates {
    /// Authorities that are trusted beside the built-in ones. Empty if there are none.
    pub authorities: Vec<u8>,
    /// The client's own certificate.
    pub identity: Option<ClientIdentity>,
}

/// A certificate and its private key in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those of intermediate authorities.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity").finish_non_exhaustive()
    }
}

impl Access {
    /// Reads the certificates, from files or secrets. Logins are read later.
    pub async fn open(settings: &AccessSettings) -> Result<Self, SourceError> {
        let aws = match &settings.aws {
            Some(aws) => Some(aws_access(aws).await?),
            None => None,
        };
        let authorities = async {
            match &settings.tls.authorities {
                None => Ok(Vec::new()),
                Some(PemSetting::File(file)) => read_file(variable::CA_FILE, file),
                Some(PemSetting::Secret(arn)) => authorities(aws.as_ref(), arn).await,
            }
        };
        let identity = async {
            match &settings.tls.identity {
                None => Ok(None),
                Some(IdentitySetting::Files { certificate, key }) => Ok(Some(ClientIdentity {
                    certificate: read_file(variable::CERTIFICATE_FILE, certificate)?,
                    key: read_file(variable::KEY_FILE, key)?,
                })),
                Some(IdentitySetting::Secret(arn)) => identity(aws.as_ref(), arn).await.map(Some),
            }
        };
        let (authorities, identity) = try_join(authorities, identity).await?;
        Ok(Self {
            aws,
            certificates: Arc::new(Certificates {
                authorities,
                identity,
            }),
        })
    }

    /// Certificates for every client.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The login of a server. `None`: user and password of the address, if it has any.
    pub fn login(&self, server: &Server) -> Result<Option<LoginSource>, SourceError> {
        let source = match &server.login {
            LoginSetting::Address => return Ok(None),
            LoginSetting::Fixed { user, password } => LoginSource(Kind::Fixed(Login {
                user: user.clone(),
                password: password.clone(),
            })),
            LoginSetting::Secret {
                arn,
                variable,
                user,
            } => LoginSource::of_secret(self.aws(variable)?, variable, arn, user.clone())?,
            LoginSetting::Iam { user, resource } => {
                let target = match resource {
                    Some(resource) => redis_target(resource),
                    None => database_target(&server.url),
                };
                LoginSource(Kind::Token(Arc::new(TokenSource {
                    access: self.aws("AWS_REGION")?,
                    setting: format!("the token of {}", server.url),
                    user: user.clone(),
                    target,
                })))
            }
        };
        Ok(Some(source))
    }

    /// The keys of a secret, which has the form that [`Keys`] describes.
    pub fn keys(&self, setting: &str, arn: &Arn, min_bytes: usize) -> Result<Keys, SourceError> {
        let secret = SecretSetting::new(setting, arn)?;
        Ok(Keys::of_secret(self.aws(setting)?, secret, min_bytes))
    }

    /// Reads the secrets of these logins at the same time. An error that may pass is logged only:
    /// the first connection reads the secret again.
    pub async fn read_logins(
        &self,
        logins: impl IntoIterator<Item = &LoginSource>,
    ) -> Result<(), SourceError> {
        let logins = logins.into_iter().map(|source| async {
            match source.login(false).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "a login cannot be read at start; it is read when needed");
                    Ok(())
                }
                read => read.map(drop),
            }
        });
        try_join_all(logins).await.map(drop)
    }

    /// Access to AWS. Its settings are read whenever another setting needs them.
    fn aws(&self, setting: &str) -> Result<aws_access::Access, SourceError> {
        required(self.aws.as_ref(), setting).cloned()
    }
}

fn required<'a>(
    aws: Option<&'a aws_access::Access>,
    setting: &str,
) -> Result<&'a aws_access::Access, SourceError> {
    aws.ok_or_else(|| SourceError::Aws {
        setting: setting.to_owned(),
        error: aws_access::AccessError::Credentials("they were not read".to_owned()),
    })
}

#[cfg_attr(not(feature = "credential-chain"), expect(clippy::unused_async))]
async fn aws_access(settings: &AwsSettings) -> Result<aws_access::Access, SourceError> {
    let endpoints = Endpoints {
        secrets_manager: settings.secrets_manager.clone(),
        ssm: settings.ssm.clone(),
    };
    let credentials = match &settings.keys {
        Some(keys) => Credentials::new(
            &keys.id,
            keys.secret.expose(),
            keys.token.as_ref().map(|token| token.expose().to_owned()),
        ),
        #[cfg(feature = "credential-chain")]
        None => Credentials::from_chain()
            .await
            .map_err(|error| SourceError::Aws {
                setting: "AWS_ACCESS_KEY_ID".to_owned(),
                error,
            })?,
        #[cfg(not(feature = "credential-chain"))]
        None => Credentials::new("", "", None),
    };
    Ok(aws_access::Access::new(
        &settings.region,
        credentials,
        endpoints,
    ))
}

fn read_file(setting: &'static str, file: &Path) -> Result<Vec<u8>, SourceError> {
    std::fs::read(file).map_err(|error| SourceError::File {
        setting,
        file: file.to_owned(),
        error: error.to_string(),
    })
}

async fn secret_text(
    aws: Option<&aws_access::Access>,
    secret: &SecretSetting,
) -> Result<SecretText, SourceError> {
    let aws = required(aws, &secret.setting)?;
    secret.read(aws, Version::Current).await
}

/// As secrets for self-managed Kafka have it, or the certificates alone.
async fn authorities(aws: Option<&aws_access::Access>, arn: &Arn) -> Result<Vec<u8>, SourceError> {
    #[derive(Deserialize)]
    struct Content {
        certificate: String,
    }
    let secret = SecretSetting::new(variable::CA_SECRET, arn)?;
    let text = secret_text(aws, &secret).await?;
    if text.expose().trim_start().starts_with("-----BEGIN") {
        return Ok(text.expose().as_bytes().to_vec());
    }
    let content: Content = strict_json::from_str(text.expose())
        .map_err(|_| secret.unlike(r#"{"certificate":"..."} in JSON, or certificates in PEM"#))?;
    Ok(content.certificate.into_bytes())
}

async fn identity(
    aws: Option<&aws_access::Access>,
    arn: &Arn,
) -> Result<ClientIdentity, SourceError> {
    #[derive(Deserialize)]
    struct Content {
        certificate: String,
        #[serde(rename = "privateKey")]
        key: String,
    }
    let secret = SecretSetting::new(variable::CERTIFICATE_SECRET, arn)?;
    let text = secret_text(aws, &secret).await?;
    let content: Content = strict_json::from_str(text.expose())
        .map_err(|_| secret.unlike(r#"{"certificate":"...","privateKey":"..."} in JSON"#))?;
    Ok(ClientIdentity {
        certificate: content.certificate.into_bytes(),
        key: content.key.into_bytes(),
    })
}

/// Host and port of an address of PostgreSQL.
fn database_target(url: &Url) -> TokenTarget {
    let (host, port) = url.host_and_port();
    TokenTarget::Database {
        host: host.to_owned(),
        port: port.unwrap_or(5432),
    }
}

/// `replicationgroup:NAME`, `serverlesscache:NAME` or, of MemoryDB, `cluster/NAME`.
fn redis_target(resource: &Arn) -> TokenTarget {
    let whole = resource.resource();
    let service = match resource.service() {
        "memorydb" => RedisService::MemoryDb,
        _ if whole.starts_with("serverlesscache:") => RedisService::ElastiCacheServerless,
        _ => RedisService::ElastiCache,
    };
    let name = whole.rsplit([':', '/']).next().unwrap_or_default();
    TokenTarget::Redis {
        service,
        name: name.to_owned(),
    }
}
