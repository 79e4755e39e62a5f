//! Credentials of the caller.

use std::fmt;

use crate::AccessError;

/// Where the credentials of a request come from.
#[derive(Clone)]
pub struct Credentials(Source);

#[derive(Clone)]
enum Source {
    /// Those of the process' environment, as Lambda sets them. They outlive the process.
    Fixed(aws_credential_types::Credentials),
    #[cfg(feature = "credential-chain")]
    Chain(aws_credential_types::provider::SharedCredentialsProvider),
}

impl Credentials {
    /// An access key, with the session token of a role.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        Self(Source::Fixed(aws_credential_types::Credentials::new(
            access_key_id,
            secret_access_key,
            session_token,
            None,
            "given",
        )))
    }

    /// Those of profiles, containers and machine roles, in the order of the official SDKs. They are
    /// fetched when first used, and again before they expire.
    #[cfg(feature = "credential-chain")]
    pub async fn from_chain() -> Result<Self, AccessError> {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let provider = config.credentials_provider();
        let provider = provider.ok_or_else(|| AccessError::Credentials("there are none".into()))?;
        Ok(Self(Source::Chain(provider)))
    }

    #[cfg_attr(not(feature = "credential-chain"), expect(clippy::unused_async))]
    pub(crate) async fn current(&self) -> Result<aws_credential_types::Credentials, AccessError> {
        match &self.0 {
            Source::Fixed(credentials) => Ok(credentials.clone()),
            #[cfg(feature = "credential-chain")]
            Source::Chain(provider) => {
                use aws_credential_types::provider::ProvideCredentials;
                let credentials = provider.provide_credentials().await;
                credentials.map_err(|e| AccessError::Credentials(e.to_string()))
            }
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}
