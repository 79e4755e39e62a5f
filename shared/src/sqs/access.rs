//! Region, credentials and endpoint of SQS.

use aws_sdk_sqs::config::{Credentials, Region};

use crate::config::Reader;

/// Region, credentials and endpoint of SQS, from the variables of the AWS SDKs. Lambda and usher
/// set them for every function. The secret is never printed.
#[derive(Debug, Clone)]
pub struct SqsAccess {
    pub(super) region: Option<Region>,
    /// `None`: those of the SDK's chain, with the feature `credential-chain` only.
    pub(super) credentials: Option<Credentials>,
    pub(super) endpoint: Option<String>,
}

impl SqsAccess {
    /// Reads `AWS_REGION`, else `AWS_DEFAULT_REGION`; `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`
    /// and `AWS_SESSION_TOKEN`; `AWS_ENDPOINT_URL_SQS`, else `AWS_ENDPOINT_URL`.
    ///
    /// Region and keys are required, unless the feature `credential-chain` finds them elsewhere.
    pub fn read(reader: &Reader) -> Self {
        let region = (reader.optional_text("AWS_REGION"))
            .or_else(|| reader.optional_text("AWS_DEFAULT_REGION"));
        let endpoint = (reader.optional_text("AWS_ENDPOINT_URL_SQS"))
            .or_else(|| reader.optional_text("AWS_ENDPOINT_URL"));
        let chain = cfg!(feature = "credential-chain") && reader.optional_text(KEY_ID).is_none();
        if region.is_none() && !chain {
            reader.text("AWS_REGION", "a region, e.g. eu-central-1");
        }
        let credentials = (!chain).then(|| {
            let key_id = reader.text(KEY_ID, "the id of an access key");
            let secret = reader.secret("AWS_SECRET_ACCESS_KEY", 1);
            let token = reader.optional_text("AWS_SESSION_TOKEN");
            Credentials::new(key_id, secret.expose(), token, None, "environment")
        });
        Self {
            region: region.map(Region::new),
            credentials,
            endpoint,
        }
    }
}

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [(&str, &str); 2] = [(KEY_ID, "AKID"), ("AWS_SECRET_ACCESS_KEY", "hush")];

    fn read(more: &[(&str, &str)]) -> SqsAccess {
        let reader = Reader::new(KEYS.iter().chain(more).copied());
        let access = reader.finish(|| SqsAccess::read(&reader));
        access.expect("complete")
    }

    #[test]
    fn the_more_specific_variable_counts() {
        let both = [
            ("AWS_REGION", "eu-central-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:19324"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ];
        let access = read(&both);
        assert_eq!(access.region, Some(Region::new("eu-central-1")));
        assert_eq!(access.endpoint.as_deref(), Some("http://127.0.0.1:19324"));
        let access = read(&[both[1], both[3]]);
        assert_eq!(access.region, Some(Region::new("us-east-1")));
        assert_eq!(access.endpoint.as_deref(), Some("http://127.0.0.1:1"));
    }

    #[test]
    fn a_session_token_is_part_of_the_credentials_and_no_secret_is_printed() {
        let token = ("AWS_SESSION_TOKEN", "session");
        let access = read(&[("AWS_REGION", "eu-central-1"), token]);
        let credentials = access.credentials.as_ref().expect("from the environment");
        assert_eq!(credentials.access_key_id(), "AKID");
        assert_eq!(credentials.session_token(), Some("session"));
        assert!(!format!("{access:?}").contains("hush"));
    }

    #[test]
    #[cfg(not(feature = "credential-chain"))]
    fn every_missing_variable_is_named() {
        let reader = Reader::new::<String, String>([]);
        let problems = reader.finish(|| SqsAccess::read(&reader));
        let problems = problems.expect_err("nothing is set").to_string();
        for name in ["AWS_REGION", KEY_ID, "AWS_SECRET_ACCESS_KEY"] {
            assert!(problems.contains(name), "{problems}");
        }
    }
}
