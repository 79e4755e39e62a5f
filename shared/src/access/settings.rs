//! What [`Access`](super::Access) needs from the environment.

use crate::config::{KeysSetting, LoginSetting, Reader, Secret, SecretRef, TlsSettings};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";

/// What a process obtains before it handles events, and how it reaches AWS for that.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// Certificates of all clients.
    pub(super) tls: TlsSettings,
    /// What the function needs besides.
    pub(super) needed: Needed,
    /// Access to secrets and tokens, unless no setting names one.
    pub(super) aws: Option<AwsSettings>,
}

/// What a function needs besides certificates.
#[derive(Debug, Clone, Default)]
pub struct Needed {
    /// Logins of servers.
    pub logins: Vec<LoginSetting>,
    /// Keys that verify signatures.
    pub keys: Option<KeysSetting>,
    /// Secrets that are read once, as they are.
    pub texts: Vec<SecretRef>,
    /// Tokens of IAM for Kafka.
    pub kafka_tokens: bool,
}

impl Needed {
    fn is_of_aws(&self) -> bool {
        self.logins.iter().any(LoginSetting::is_of_aws)
            || matches!(self.keys, Some(KeysSetting::Secret { .. }))
            || !self.texts.is_empty()
            || self.kafka_tokens
    }
}

/// Region, credentials and endpoints, from the variables of the AWS SDKs. Lambda sets them for
/// every function.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    /// The region.
    pub region: String,
    /// `None`: those of the SDK's chain, with the feature `credential-chain` only.
    pub keys: Option<AwsKeys>,
    pub(super) secrets_manager: Option<String>,
    pub(super) ssm: Option<String>,
}

/// An access key.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// The session token of a role.
    pub token: Option<Secret>,
}

impl AccessSettings {
    /// Reads the variables of certificates and, if anything is a secret or a token, those of AWS.
    pub fn read(reader: &Reader, needed: Needed) -> Self {
        let tls = TlsSettings::read(reader);
        let is_of_aws = needed.is_of_aws() || tls.is_of_aws();
        Self {
            tls,
            needed,
            aws: is_of_aws.then(|| AwsSettings::read(reader)),
        }
    }

    /// Where the keys that verify signatures come from, if the function verifies any.
    pub const fn keys(&self) -> Option<&KeysSetting> {
        self.needed.keys.as_ref()
    }

    /// Whether secrets or tokens are obtained from AWS.
    pub const fn uses_aws(&self) -> bool {
        self.aws.is_some()
    }
}

impl AwsSettings {
    /// Reads `AWS_REGION`, else `AWS_DEFAULT_REGION`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`
    /// and `AWS_SESSION_TOKEN`; `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SSM`, else
    /// `AWS_ENDPOINT_URL`.
    ///
    /// Keys are required, unless the feature `credential-chain` finds them elsewhere.
    pub fn read(reader: &Reader) -> Self {
        let region = reader
            .optional_text("AWS_REGION")
            .or_else(|| reader.optional_text("AWS_DEFAULT_REGION"));
        let all = reader.optional_text("AWS_ENDPOINT_URL");
        let endpoint = |variable: &str| reader.optional_text(variable).or_else(|| all.clone());
        let chain = cfg!(feature = "credential-chain") && reader.optional_text(KEY_ID).is_none();
        Self {
            region: region
                .unwrap_or_else(|| reader.text("AWS_REGION", "a region, e.g. eu-central-1")),
            keys: (!chain).then(|| AwsKeys {
                id: reader.text(KEY_ID, "the id of an access key"),
                secret: reader.secret("AWS_SECRET_ACCESS_KEY", 1),
                token: reader.optional_text("AWS_SESSION_TOKEN").map(Secret::new),
            }),
            secrets_manager: endpoint("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            ssm: endpoint("AWS_ENDPOINT_URL_SSM"),
        }
    }
}
