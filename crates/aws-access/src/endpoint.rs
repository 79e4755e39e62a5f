//! Where the services answer.

use http::Uri;

use crate::{AccessError, SecretArn, SecretService};

/// Endpoints instead of those of AWS, as `AWS_ENDPOINT_URL_SECRETS_MANAGER` and
/// `AWS_ENDPOINT_URL_SSM` give them to the official SDKs: `http://host:port` or `https://host`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Secrets Manager.
    pub secrets_manager: Option<String>,
    /// Systems Manager.
    pub ssm: Option<String>,
}

/// A service, and how a request for it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) tls: bool,
    /// Host and port, as the header `host` has them.
    pub(crate) authority: http::uri::Authority,
}

impl Endpoints {
    pub(crate) fn of(&self, arn: &SecretArn) -> Result<Endpoint, AccessError> {
        let (given, name) = match arn.service() {
            SecretService::SecretsManager => (&self.secrets_manager, "secretsmanager"),
            SecretService::Ssm => (&self.ssm, "ssm"),
        };
        if let Some(given) = given {
            return parsed(given);
        }
        let domain = match arn.partition() {
            "aws" | "aws-us-gov" => "amazonaws.com",
            "aws-cn" => "amazonaws.com.cn",
            other => {
                return Err(AccessError::Endpoint(format!(
                    "none is known in the partition {other}"
                )));
            }
        };
        parsed(&format!("https://{name}.{}.{domain}", arn.region()))
    }
}

fn parsed(url: &str) -> Result<Endpoint, AccessError> {
    let invalid = || {
        AccessError::Endpoint(format!(
            "{url:?} is not like https://host or http://host:port"
        ))
    };
    let uri: Uri = url.parse().map_err(|_| invalid())?;
    let tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(invalid()),
    };
    let authority = uri.authority().filter(|a| !a.as_str().contains('@'));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    match authority {
        Some(authority) if path == "/" => Ok(Endpoint {
            tls,
            authority: authority.clone(),
        }),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(endpoints: &Endpoints, arn: &str) -> Result<(bool, String), AccessError> {
        let endpoint = endpoints.of(&arn.parse().expect("an ARN"))?;
        Ok((endpoint.tls, endpoint.authority.to_string()))
    }

    #[test]
    fn region_and_partition_give_the_endpoint() {
        let aws = Endpoints::default();
        for (arn, host) in [
            (
                "arn:aws:secretsmanager:eu-west-1:1:secret:a",
                "secretsmanager.eu-west-1.amazonaws.com",
            ),
            (
                "arn:aws:ssm:us-east-2:1:parameter/a",
                "ssm.us-east-2.amazonaws.com",
            ),
            (
                "arn:aws-cn:ssm:cn-north-1:1:parameter/a",
                "ssm.cn-north-1.amazonaws.com.cn",
            ),
        ] {
            assert_eq!(of(&aws, arn).expect("known"), (true, host.to_owned()));
        }
        assert!(of(&aws, "arn:aws-moon:ssm:moon-1:1:parameter/a").is_err());
    }

    #[test]
    fn a_given_endpoint_replaces_that_of_its_service_only() {
        let given = Endpoints {
            secrets_manager: Some("http://127.0.0.1:5000".into()),
            ssm: None,
        };
        let secret = of(&given, "arn:aws:secretsmanager:eu-west-1:1:secret:a");
        assert_eq!(secret.expect("given"), (false, "127.0.0.1:5000".to_owned()));
        let parameter = of(&given, "arn:aws:ssm:eu-west-1:1:parameter/a");
        assert!(parameter.is_ok_and(|(tls, _)| tls));
        for bad in [
            "127.0.0.1:5000",
            "ftp://a",
            "https://a/path",
            "https://user:key@a",
        ] {
            let given = Endpoints {
                ssm: Some(bad.into()),
                ..Endpoints::default()
            };
            assert!(
                of(&given, "arn:aws:ssm:eu-west-1:1:parameter/a").is_err(),
                "{bad}"
            );
        }
    }
}
