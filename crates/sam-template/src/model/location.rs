//! Region and account, as ARNs, pseudo parameters and the functions' environment name them.

/// Region if none is configured.
pub const DEFAULT_REGION: &str = "us-east-1";

/// Account if none is configured. AWS assigns this number to no customer.
pub const DEFAULT_ACCOUNT: &str = "000000000000";

/// Region prefix, name and DNS suffix of each partition ("AWS service endpoints"; botocore's
/// `partitions.json`).
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
];

/// Region and account in which the application would run on AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::AccountId`: twelve digits.
    pub account: String,
}

impl Default for Location {
    fn default() -> Self {
        Self {
            region: DEFAULT_REGION.to_owned(),
            account: DEFAULT_ACCOUNT.to_owned(),
        }
    }
}

impl Location {
    /// `AWS::Partition` of the region.
    pub fn partition(&self) -> &'static str {
        self.of_partition()
            .map_or("aws", |(_, partition, _)| partition)
    }

    /// `AWS::URLSuffix` of the region.
    pub fn url_suffix(&self) -> &'static str {
        self.of_partition()
            .map_or("amazonaws.com", |(_, _, suffix)| suffix)
    }

    /// `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`. ARNs of S3 have neither region nor account,
    /// those of IAM have no region.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        let region = if matches!(service, "s3" | "iam") {
            ""
        } else {
            self.region.as_str()
        };
        let account = if service == "s3" {
            ""
        } else {
            self.account.as_str()
        };
        format!(
            "arn:{}:{service}:{region}:{account}:{resource}",
            self.partition()
        )
    }

    fn of_partition(&self) -> Option<&'static (&'static str, &'static str, &'static str)> {
        PARTITIONS
            .iter()
            .find(|(prefix, ..)| self.region.starts_with(prefix))
    }
}

/// Whether the text has the form of a region: `eu-central-1`, `us-gov-west-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [first, middle @ .., number] = &parts[..] else {
        return false;
    };
    let letters =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    first.len() >= 2
        && letters(first)
        && !middle.is_empty()
        && middle.iter().all(|part| letters(part))
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text has the form of an account: twelve digits.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_decides_partition_and_suffix() {
        let of = |region: &str| {
            let location = Location {
                region: region.into(),
                account: "123456789012".into(),
            };
            (location.arn("sqs", "q"), location.url_suffix())
        };
        assert_eq!(
            of("eu-central-1"),
            (
                "arn:aws:sqs:eu-central-1:123456789012:q".into(),
                "amazonaws.com"
            )
        );
        assert_eq!(
            of("cn-north-1"),
            (
                "arn:aws-cn:sqs:cn-north-1:123456789012:q".into(),
                "amazonaws.com.cn"
            )
        );
        assert_eq!(
            of("us-gov-west-1").0,
            "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q"
        );
        assert_eq!(Location::default().arn("s3", "b"), "arn:aws:s3:::b");
        assert_eq!(
            Location::default().arn("iam", "role/r"),
            "arn:aws:iam::000000000000:role/r"
        );
    }

    #[test]
    fn regions_and_accounts_have_a_form() {
        for region in [
            "us-east-1",
            "us-gov-west-1",
            "ap-southeast-2",
            "eusc-de-east-1",
            "us-isob-east-1",
        ] {
            assert!(is_region(region), "{region}");
        }
        for wrong in [
            "",
            "us",
            "us-east",
            "US-EAST-1",
            "us-east-1a",
            "us--1",
            "east 1",
            "-east-1",
        ] {
            assert!(!is_region(wrong), "{wrong}");
        }
        assert!(
            is_account("012345678901") && !is_account("12345678901") && !is_account("12345678901x")
        );
    }
}
