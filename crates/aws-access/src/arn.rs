//! ARNs of secrets and parameters. Pure.

use std::fmt;
use std::str::FromStr;

/// The service that holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretService {
    /// AWS Secrets Manager.
    SecretsManager,
    /// Parameters of AWS Systems Manager.
    Ssm,
}

/// The ARN of a secret of Secrets Manager, or of a parameter of Systems Manager.
///
/// ```
/// use aws_access::{SecretArn, SecretService};
///
/// let arn: SecretArn = "arn:aws:ssm:eu-central-1:111122223333:parameter/usher/key".parse()?;
/// assert_eq!(arn.service(), SecretService::Ssm);
/// assert_eq!(arn.region(), "eu-central-1");
/// # Ok::<(), aws_access::InvalidArn>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretArn(String);

/// A text that is no such ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not the ARN of a secret (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME) or of a \
     parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)"
)]
pub struct InvalidArn(String);

/// `arn`, partition, service, region, account, and the resource with all further colons.
const PARTS: usize = 6;

impl SecretArn {
    fn part(&self, n: usize) -> &str {
        self.0.splitn(PARTS, ':').nth(n).unwrap_or_default()
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The service that holds the secret.
    pub fn service(&self) -> SecretService {
        match self.part(2) {
            "ssm" => SecretService::Ssm,
            _ => SecretService::SecretsManager,
        }
    }

    /// The region of the secret.
    pub fn region(&self) -> &str {
        self.part(3)
    }

    /// The partition: `aws`, `aws-cn`, `aws-us-gov`.
    pub(crate) fn partition(&self) -> &str {
        self.part(1)
    }
}

impl FromStr for SecretArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let invalid = || InvalidArn(text.to_owned());
        let parts: Vec<&str> = text.splitn(PARTS, ':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return Err(invalid());
        };
        let name = match service {
            "secretsmanager" => resource.strip_prefix("secret:"),
            "ssm" => resource.strip_prefix("parameter/"),
            _ => None,
        };
        let is_label = |text: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let valid = arn == "arn"
            && [partition, region, account].into_iter().all(is_label)
            && name
                .is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic()));
        valid.then(|| Self(text.to_owned())).ok_or_else(invalid)
    }
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_names_service_region_and_partition() {
        let secret: SecretArn =
            "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:a/b-AbCdEf"
                .parse()
                .expect("valid");
        assert_eq!(secret.service(), SecretService::SecretsManager);
        assert_eq!(
            (secret.partition(), secret.region()),
            ("aws-cn", "cn-north-1")
        );
        let parameter: SecretArn = "arn:aws:ssm:eu-west-1:111122223333:parameter/a/b"
            .parse()
            .expect("valid");
        assert_eq!(parameter.service(), SecretService::Ssm);
    }

    #[test]
    fn what_is_no_arn_of_a_secret_is_refused() {
        for text in [
            "",
            "database",
            "arn:aws:secretsmanager:eu-west-1:1:secret:",
            "arn:aws:secretsmanager::1:secret:a",
            "arn:aws:secretsmanager:eu.evil/west:1:secret:a",
            "arn:aws:ssm:eu-west-1:1:parameter:a",
            "arn:aws:s3:eu-west-1:1:secret:a",
            "arn:aws:ssm:eu-west-1:1:parameter/a b",
            "x:aws:ssm:eu-west-1:1:parameter/a",
        ] {
            assert!(text.parse::<SecretArn>().is_err(), "{text}");
        }
    }
}
