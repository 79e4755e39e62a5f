//! Logins, certificates and keys at run time: from the settings, from secrets, or as IAM tokens.
//!
//! [`Access::open`] reads certificates, logins and keys at the same time, before the first event.
//! [`Access::login`] is the [`ServerLogin`] of a server. An adapter calls it for each connection, and again
//! after the server has refused a login, so a rotated password is taken without a new process.
//!
//! A secret is read once and kept. After a refusal it is read again, at most once every
//! [`PAUSE`] for all connections of the process together. If it has not changed, the version that a
//! rotation prepares (`AWSPENDING`) is used, if there is one: a rotation sets the password of the
//! server before it makes the new version the current one.

mod error;
#[cfg(feature = "https")]
mod https;
mod keys;
mod login;
mod open;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod refreshed;
mod settings;
#[cfg(feature = "traces")]
mod traces;

pub use error::SourceError;
pub use keys::{KEYS_PAUSE, Keys};
pub use login::{KafkaTokens, ServerLogin, UserPassword};
pub use open::{Access, Certificates, ClientIdentity};
pub use refreshed::PAUSE;
pub use settings::{AccessSettings, AwsKeys, AwsSettings, Needed};
