//! User and password, and where a link gets them.

use std::fmt;

use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};

/// A user of Redis and its password, as raw text. Its `Debug` output contains no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; `None` is the user `default`.
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A login could not be obtained. Another attempt may succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the login of Redis cannot be obtained: {0}")]
pub struct LoginError(pub String);

/// Supplies the login of each new connection.
pub trait LoginSource: Send + Sync {
    /// The login for a connection that is being made; `None` for a server without logins.
    ///
    /// `last_was_refused`: the server refused the login that this source returned last. A source
    /// that caches then reads its secret again. The call counts towards the timeout of the command
    /// that needs the connection.
    fn login(&self, last_was_refused: bool) -> BoxFuture<'_, Result<Option<Login>, LoginError>>;
}

/// Always the same login.
#[derive(Debug, Clone)]
pub struct FixedLogin(pub Option<Login>);

impl LoginSource for FixedLogin {
    fn login(&self, _: bool) -> BoxFuture<'_, Result<Option<Login>, LoginError>> {
        ready(Ok(self.0.clone())).boxed()
    }
}
