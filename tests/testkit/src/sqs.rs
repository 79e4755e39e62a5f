//! A client of SQS.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};

/// A client with a timeout and without retries, so that a test observes each failure.
pub fn client(endpoint: &str) -> Client {
    let timeout = TimeoutConfig::builder()
        .operation_timeout(Duration::from_secs(20))
        .build();
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("local", "local", None, None, "tests"))
        .timeout_config(timeout)
        .retry_config(RetryConfig::disabled())
        .build();
    Client::from_conf(config)
}
