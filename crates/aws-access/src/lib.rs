//! Secrets by ARN, and IAM tokens as passwords.
//!
//! [`Access`] holds region, credentials and endpoints. [`Access::secret`] reads a secret of Secrets
//! Manager or a parameter of Systems Manager, whichever its [`SecretArn`] names. With the feature
//! `tokens` it presigns the tokens that RDS, ElastiCache, MemoryDB and MSK take as passwords.
//!
//! Requests are signed by `aws-sigv4`, the signer of the official SDKs. An SDK crate per service
//! would add more code to a function than everything here. Every request is bounded in time, and
//! repeated a few times where that can help.
//!
//! ```no_run
//! use aws_access::{Access, Credentials, Endpoints, Version};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let credentials = Credentials::new("AKID...", "key", None);
//! let access = Access::new("eu-central-1", credentials, Endpoints::default());
//! let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:database-AbCdEf".parse()?;
//! let secret = access.secret(&arn, Version::Current).await?;
//! assert!(!secret.expose().is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! No secret, key or token is ever printed, neither by `Debug` nor in an error.

mod access;
mod arn;
mod credentials;
mod endpoint;
mod error;
mod http;
mod secrets;
mod sign;
mod text;
#[cfg(feature = "tokens")]
mod tokens;

pub use access::Access;
pub use arn::{InvalidArn, SecretArn, SecretService};
pub use credentials::Credentials;
pub use endpoint::Endpoints;
pub use error::AccessError;
pub use secrets::Version;
pub use text::SecretText;
#[cfg(feature = "tokens")]
pub use tokens::{RedisService, Token};
