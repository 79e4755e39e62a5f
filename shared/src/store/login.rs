//! The login of a database: fixed, or from a source whose password may change while the process
//! runs.

use std::fmt;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lambda_batch::ErrorClass;

/// User and password. `Debug` prints no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role that logs in.
    pub user: String,
    /// Its password: any text. `None`: the one in the address, if any.
    pub password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut login = f.debug_struct("Login");
        login.field("user", &self.user).finish_non_exhaustive()
    }
}

/// Why a login is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginRequest {
    /// A connection is opened. A source may return what it has returned before.
    Connecting,
    /// The server has refused the last login. A source reads its secret again.
    Refused,
}

/// A login that cannot be obtained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LoginError {
    /// [`ErrorClass::Unavailable`] if a later attempt may succeed; [`ErrorClass::Unknown`] if the
    /// configuration is wrong: it raises an alarm.
    pub class: ErrorClass,
    /// What failed, without the secret.
    pub message: String,
}

/// Where a login comes from.
///
/// It is requested for each connection that is opened, so a source with expensive logins caches
/// them; and once more, as [`LoginRequest::Refused`], when the server refuses it. If the answer then
/// differs, the connection is tried again at once. So a rotated password is taken without a new
/// process. Several connections may request a login at the same time. The wait for it is part of
/// the wait for the connection, at most 3 s.
pub trait LoginSource: fmt::Debug + Send + Sync {
    /// The login to use now.
    fn login(&self, request: LoginRequest) -> BoxFuture<'_, Result<Login, LoginError>>;
}

/// A login that never changes.
impl LoginSource for Login {
    fn login(&self, _: LoginRequest) -> BoxFuture<'_, Result<Login, LoginError>> {
        ready(Ok(self.clone())).boxed()
    }
}
