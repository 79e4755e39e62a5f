//! Why a secret cannot be read.

use std::time::Duration;

/// Why there is no secret or token. The text says which permission or setting to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The caller lacks the permission, or the service does not accept its credentials.
    #[error(
        "{arn} may not be read ({text}); the function's role needs {action} on it, and the policy \
         of the secret must not deny it"
    )]
    Denied {
        /// What was to be read.
        arn: String,
        /// The missing permission.
        action: &'static str,
        /// Code and text of the service.
        text: String,
    },
    /// There is no such secret, or it has no such version.
    #[error("{arn} does not exist ({text}); compare region, account and name of the ARN")]
    NotFound {
        /// What was to be read.
        arn: String,
        /// Code and text of the service.
        text: String,
    },
    /// The secret cannot be decrypted.
    #[error(
        "{arn} cannot be decrypted ({text}); the function's role needs kms:Decrypt on its key, \
         and the key must be enabled"
    )]
    Key {
        /// What was to be read.
        arn: String,
        /// Code and text of the service.
        text: String,
    },
    /// The service refuses the request for another reason.
    #[error("{arn} cannot be read: {text}")]
    Refused {
        /// What was to be read.
        arn: String,
        /// Code and text of the service.
        text: String,
    },
    /// The service limits the rate of requests, and further attempts were limited as well.
    #[error("{arn} cannot be read now: the rate of requests is limited ({text})")]
    Throttled {
        /// What was to be read.
        arn: String,
        /// Code and text of the service.
        text: String,
    },
    /// The service cannot be reached, or fails.
    #[error(
        "{server} is not available ({text}); inside of a VPC the function needs an interface \
         endpoint of this service, or a NAT gateway"
    )]
    Unavailable {
        /// Host and port.
        server: String,
        /// What failed.
        text: String,
    },
    /// The service did not answer in time.
    #[error(
        "{server} did not answer within {} ms; inside of a VPC the function needs an interface \
         endpoint of this service, or a NAT gateway", .within.as_millis()
    )]
    Timeout {
        /// Host and port.
        server: String,
        /// The time limit.
        within: Duration,
    },
    /// The service's certificate is not accepted.
    #[error("the certificate of {server} is not accepted: {text}")]
    Certificate {
        /// Host and port.
        server: String,
        /// The reason.
        text: String,
    },
    /// The service answers with something else than a secret.
    #[error("{arn}: {text}")]
    Unreadable {
        /// What was to be read.
        arn: String,
        /// What is wrong.
        text: &'static str,
    },
    /// There is no usable endpoint.
    #[error("the endpoint of the service cannot be used: {0}")]
    Endpoint(String),
    /// There are no credentials.
    #[error("no credentials of AWS: {0}")]
    Credentials(String),
    /// The request cannot be signed.
    #[error("the request cannot be signed: {0}")]
    Signing(String),
    /// Authorities in PEM cannot be used.
    #[error("the additional authorities cannot be used: {0}")]
    Authorities(String),
}

impl AccessError {
    /// Whether another attempt may succeed although nothing is changed.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Throttled { .. } | Self::Unavailable { .. } | Self::Timeout { .. }
        )
    }
}
