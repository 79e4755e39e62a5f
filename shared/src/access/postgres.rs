//! Logins and certificates of `PostgreSQL`.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use lambda_batch::ErrorClass;

use super::{Access, ServerLogin, SourceError};
use crate::config::Server;
use crate::store;

impl Access {
    /// A database with its login and all certificates.
    pub fn database(&self, server: &Server) -> Result<store::Database, SourceError> {
        let certificates = self.certificates();
        let mut database =
            store::Database::at(server.url.as_str()).trusting(certificates.authorities.as_slice());
        if let Some(own) = &certificates.identity {
            database = database.presenting(own.certificate.as_slice(), own.key.as_slice());
        }
        if let Some(source) = self.login(&server.login)? {
            database = database.login(Arc::new(source));
        }
        Ok(database)
    }
}

impl store::LoginSource for ServerLogin {
    fn login(
        &self,
        request: store::LoginRequest,
    ) -> BoxFuture<'_, Result<store::Login, store::LoginError>> {
        let refused = request == store::LoginRequest::Refused;
        async move {
            let login = self
                .login(refused)
                .await
                .map_err(|error| store::LoginError {
                    class: if error.is_transient() {
                        ErrorClass::Unavailable
                    } else {
                        ErrorClass::Unknown
                    },
                    message: error.to_string(),
                })?;
            let user = login.user.ok_or_else(|| store::LoginError {
                class: ErrorClass::Unknown,
                message: "the secret of the database's login has no username".to_owned(),
            })?;
            let password = login.password.map(|password| password.expose().to_owned());
            Ok(store::Login { user, password })
        }
        .boxed()
    }
}
