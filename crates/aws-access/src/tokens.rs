//! IAM tokens: presigned requests that servers take as passwords.
//!
//! A token is made without a request to AWS: it is a signature, valid for 15 minutes, of the
//! statement that the role may connect as a user. The server has it verified when the connection
//! logs in; what happens to the connection after that does not depend on the token. So a token is
//! made for each login, and none is kept.

use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::sign::{self, Scope};
use crate::{Access, AccessError, SecretText};

/// How long a login with a token is possible: the longest time that all three services accept.
const VALID: Duration = Duration::from_mins(15);
/// All but the unreserved characters of RFC 3986, as signatures require.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A token, and when it ceases to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The password.
    pub text: SecretText,
    /// The last time of a login with it.
    pub expires: SystemTime,
}

/// What runs a Redis or Valkey that takes IAM tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisService {
    /// ElastiCache, by the id of a replication group.
    ElastiCache,
    /// ElastiCache Serverless, by the name of a cache.
    ElastiCacheServerless,
    /// MemoryDB, by the name of a cluster.
    MemoryDb,
}

impl Access {
    /// The password of a user of Postgres on RDS or Aurora. `host` and `port` are those of the
    /// instance, cluster or proxy that the client connects to; the role needs `rds-db:connect`.
    pub async fn database_token(
        &self,
        host: &str,
        port: u16,
        user: &str,
    ) -> Result<Token, AccessError> {
        let url = format!(
            "https://{host}:{port}/?Action=connect&DBUser={}",
            utf8_percent_encode(user, RESERVED)
        );
        let token = self.presigned("rds-db", &url).await?;
        Ok(token.map(|url| url.trim_start_matches("https://").to_owned()))
    }

    /// The password of a user with IAM authentication of ElastiCache or MemoryDB. `name` is that of
    /// the replication group, cache or cluster; the role needs `elasticache:Connect` or
    /// `memorydb:Connect`. The server closes the connection after 12 hours.
    pub async fn redis_token(
        &self,
        service: RedisService,
        name: &str,
        user: &str,
    ) -> Result<Token, AccessError> {
        let (signed_for, more) = match service {
            RedisService::ElastiCache => ("elasticache", ""),
            RedisService::ElastiCacheServerless => ("elasticache", "&ResourceType=ServerlessCache"),
            RedisService::MemoryDb => ("memorydb", ""),
        };
        let name = name.to_ascii_lowercase();
        let url = format!(
            "http://{name}/?Action=connect{more}&User={}",
            utf8_percent_encode(user, RESERVED)
        );
        let token = self.presigned(signed_for, &url).await?;
        Ok(token.map(|url| url.trim_start_matches("http://").to_owned()))
    }

    /// The token of SASL OAUTHBEARER for MSK. The role needs `kafka-cluster:Connect`.
    pub async fn kafka_token(&self) -> Result<Token, AccessError> {
        let url = format!(
            "https://kafka.{}.amazonaws.com/?Action=kafka-cluster%3AConnect",
            self.region
        );
        let token = self.presigned("kafka-cluster", &url).await?;
        // As the signers of AWS do: the program's name is added after the signature.
        let encoder = base64_simd::URL_SAFE_NO_PAD;
        Ok(token.map(|url| encoder.encode_to_string(format!("{url}&User-Agent=aws-access"))))
    }

    async fn presigned(&self, service: &str, url: &str) -> Result<Presigned, AccessError> {
        let scope = Scope {
            region: &self.region,
            service,
            time: SystemTime::now(),
        };
        presigned(scope, self.credentials.current().await?, url)
    }
}

struct Presigned {
    url: String,
    expires: SystemTime,
}

impl Presigned {
    fn map(self, text: impl FnOnce(String) -> String) -> Token {
        Token {
            text: SecretText::new(text(self.url)),
            expires: self.expires,
        }
    }
}

fn presigned(
    scope: Scope,
    credentials: aws_credential_types::Credentials,
    url: &str,
) -> Result<Presigned, AccessError> {
    // A signature is void once the credentials behind it are.
    let end = scope.time + VALID;
    let expires = credentials.expiry().map_or(end, |expiry| expiry.min(end));
    let signature = sign::parameters(scope, credentials, url, VALID)?;
    let mut url = url.to_owned();
    for (name, value) in signature.params() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, RESERVED));
    }
    Ok(Presigned { url, expires })
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
