//! From settings to sources.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_access::{Credentials, Endpoints, SecretText, Version};
use futures::future::try_join_all;
use serde::Deserialize;

use super::login::{KafkaTokens, Kind, NamedSecret, ServerLogin, TokenSource, UserPassword};
use super::settings::{AccessSettings, AwsSettings};
use super::{Keys, SourceError};
use crate::config::tls::variable;
use crate::config::{IdentitySetting, KeysSetting, LoginSetting, PemSetting};

/// What a process has obtained. Cheap to clone. The default has no certificates, logins and keys.
#[derive(Debug, Clone, Default)]
pub struct Access(Arc<Obtained>);

#[derive(Debug, Default)]
struct Obtained {
    certificates: Certificates,
    logins: Vec<(LoginSetting, ServerLogin)>,
    keys: Option<Keys>,
    kafka_tokens: Option<KafkaTokens>,
    /// By variable.
    texts: HashMap<String, SecretText>,
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
    /// Reads everything at the same time. An outage of AWS is an error for certificates and texts;
    /// logins and keys are read again when they are needed.
    pub async fn open(settings: &AccessSettings) -> Result<Self, SourceError> {
        let aws = match &settings.aws {
            Some(aws) => Some(aws_access(aws).await?),
            None => None,
        };
        let (aws, needed) = (aws.as_ref(), &settings.needed);
        let mut logins = Vec::new();
        for setting in &needed.logins {
            if let Some(source) = login_source(aws, setting)? {
                logins.push((setting.clone(), source));
            }
        }
        let keys = needed.keys.as_ref().map(|keys| keys_of(aws, keys));
        let keys = keys.transpose()?;
        let kafka_tokens = if needed.kafka_tokens {
            Some(KafkaTokens(required(aws, "KAFKA_SECURITY")?.clone()))
        } else {
            None
        };
        let read_logins = logins
            .iter()
            .map(|(_, source)| async { may_pass(source.login(false).await) });
        let read_keys = async {
            match &keys {
                Some(keys) => may_pass(keys.current().await),
                None => Ok(()),
            }
        };
        let texts = needed.texts.iter().map(|secret| async move {
            let text = secret_text(aws, &NamedSecret::new(secret)?, &secret.variable).await?;
            Ok((secret.variable.clone(), text))
        });
        let (authorities, identity, _, (), texts) = futures::try_join!(
            authorities(aws, settings.tls.authorities.as_ref()),
            identity(aws, settings.tls.identity.as_ref()),
            try_join_all(read_logins),
            read_keys,
            try_join_all(texts),
        )?;
        Ok(Self(Arc::new(Obtained {
            certificates: Certificates {
                authorities,
                identity,
            },
            logins,
            keys,
            kafka_tokens,
            texts: texts.into_iter().collect(),
        })))
    }

    /// Certificates for every client.
    pub fn certificates(&self) -> &Certificates {
        &self.0.certificates
    }

    /// The source of a login that is among the settings. `None`: user and password of the address,
    /// if it has any.
    pub fn login(&self, setting: &LoginSetting) -> Result<Option<ServerLogin>, SourceError> {
        if *setting == LoginSetting::Address {
            return Ok(None);
        }
        let mut logins = self.0.logins.iter();
        let found = logins.find(|(known, _)| known == setting);
        let (_, source) = found.ok_or(SourceError::Unopened)?;
        Ok(Some(source.clone()))
    }

    /// Tokens for Kafka, if they are among the settings.
    pub fn kafka_tokens(&self) -> Option<KafkaTokens> {
        self.0.kafka_tokens.clone()
    }

    /// The keys that verify signatures. Without keys among the settings none is accepted.
    pub fn keys(&self) -> Keys {
        self.0
            .keys
            .clone()
            .unwrap_or_else(|| Keys::fixed(Vec::new()))
    }

    /// The text of the secret that this variable names, if it is among the settings.
    pub fn text(&self, variable: &str) -> Option<&str> {
        self.0.texts.get(variable).map(SecretText::expose)
    }
}

/// An error that may pass is logged only: what could not be read is read again when it is needed.
fn may_pass<T>(read: Result<T, SourceError>) -> Result<(), SourceError> {
    match read {
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "a secret cannot be read at start; it is read when needed");
            Ok(())
        }
        read => read.map(drop),
    }
}

fn login_source(
    aws: Option<&aws_access::Access>,
    setting: &LoginSetting,
) -> Result<Option<ServerLogin>, SourceError> {
    let source = match setting {
        LoginSetting::Address => return Ok(None),
        LoginSetting::Fixed { user, password } => ServerLogin(Kind::Fixed(UserPassword {
            user: user.clone(),
            password: password.clone(),
        })),
        LoginSetting::Secret { secret, user } => {
            let aws = required(aws, &secret.variable)?.clone();
            ServerLogin::of_secret(aws, secret, user.clone())?
        }
        LoginSetting::Iam { user, target } => {
            let setting = format!("the token of {user}");
            ServerLogin(Kind::Token(Arc::new(TokenSource {
                access: required(aws, &setting)?.clone(),
                setting,
                user: user.clone(),
                target: target.clone(),
            })))
        }
    };
    Ok(Some(source))
}

fn keys_of(aws: Option<&aws_access::Access>, keys: &KeysSetting) -> Result<Keys, SourceError> {
    match keys {
        KeysSetting::Fixed(keys) => Ok(Keys::fixed(keys.clone())),
        KeysSetting::Secret { secret, min_bytes } => {
            let aws = required(aws, &secret.variable)?.clone();
            Ok(Keys::of_secret(aws, NamedSecret::new(secret)?, *min_bytes))
        }
    }
}

/// Settings of AWS are read whenever another setting needs them.
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
    secret: &NamedSecret,
    setting: &str,
) -> Result<SecretText, SourceError> {
    secret.read(required(aws, setting)?, Version::Current).await
}

/// A secret has the form of those for self-managed Kafka, or the certificates alone.
async fn authorities(
    aws: Option<&aws_access::Access>,
    setting: Option<&PemSetting>,
) -> Result<Vec<u8>, SourceError> {
    #[derive(Deserialize)]
    struct Content {
        certificate: String,
    }
    let secret = match setting {
        None => return Ok(Vec::new()),
        Some(PemSetting::File(file)) => return read_file(variable::CA_FILE, file),
        Some(PemSetting::Secret(secret)) => secret,
    };
    let named = NamedSecret::new(secret)?;
    let text = secret_text(aws, &named, &secret.variable).await?;
    if text.expose().trim_start().starts_with("-----BEGIN") {
        return Ok(text.expose().as_bytes().to_vec());
    }
    let content: Content = strict_json::from_str(text.expose())
        .map_err(|_| named.unlike(r#"{"certificate":"..."} in JSON, or certificates in PEM"#))?;
    Ok(content.certificate.into_bytes())
}

async fn identity(
    aws: Option<&aws_access::Access>,
    setting: Option<&IdentitySetting>,
) -> Result<Option<ClientIdentity>, SourceError> {
    #[derive(Deserialize)]
    struct Content {
        certificate: String,
        #[serde(rename = "privateKey")]
        key: String,
    }
    let secret = match setting {
        None => return Ok(None),
        Some(IdentitySetting::Files { certificate, key }) => {
            return Ok(Some(ClientIdentity {
                certificate: read_file(variable::CERTIFICATE_FILE, certificate)?,
                key: read_file(variable::KEY_FILE, key)?,
            }));
        }
        Some(IdentitySetting::Secret(secret)) => secret,
    };
    let named = NamedSecret::new(secret)?;
    let text = secret_text(aws, &named, &secret.variable).await?;
    let content: Content = strict_json::from_str(text.expose())
        .map_err(|_| named.unlike(r#"{"certificate":"...","privateKey":"..."} in JSON"#))?;
    Ok(Some(ClientIdentity {
        certificate: content.certificate.into_bytes(),
        key: content.key.into_bytes(),
    }))
}
