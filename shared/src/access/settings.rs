//! What [`Access`](super::Access) needs from the environment.

use crate::config::{Reader, Secret, TlsSettings};

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";

/// Certificates, and access to AWS if a setting needs it.
#[derive(Debug, Clone, Default)]
pub struct AccessSettings {
    /// Certificates of all clients.
    pub tls: TlsSettings,
    /// Access to secrets and tokens, unless no setting names one.
    pub aws: Option<AwsSettings>,
}

/// Region, credentials and endpoints, from the variables of the AWS SDKs. Lambda sets them for
/// every function.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    pub(super) region: String,
    /// `None`: those of the SDK's chain, with the feature `credential-chain` only.
    pub(super) keys: Option<AwsKeys>,
    pub(super) secrets_manager: Option<String>,
    pub(super) ssm: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct AwsKeys {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<Secret>,
}

impl AccessSettings {
    /// Reads the certificates' variables and, if `needs_aws` or a certificate is a secret, those of
    /// AWS.
    pub fn read(reader: &Reader, needs_aws: bool) -> Self {
        let tls = TlsSettings::read(reader);
        let needs_aws = needs_aws || tls.is_of_aws();
        Self {
            tls,
            aws: needs_aws.then(|| AwsSettings::read(reader)),
        }
    }
}

impl AwsSettings {
    /// Reads `AWS_REGION`, else `AWS_DEFAULT_REGION`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`
    /// and `AWS_SESSION_TOKEN`; `AWS_ENDPOINT_URL_SECRETS_MANAGER` and `AWS_ENDPOINT_URL_SSM`, else
    /// `AWS_ENDPOINT_URL`.
    ///
    /// Keys are required, unless the feature `credential-chain` finds them elsewhere.
    fn read(reader: &Reader) -> Self {
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
