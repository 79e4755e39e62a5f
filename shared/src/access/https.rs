//! Clients of HTTP services.

use std::time::Duration;

use super::{Access, SourceError};
use crate::https::{Address, Client};

impl Access {
    /// A client of a service, with the certificates of the process. `timeout`: limit of a request.
    ///
    /// # Errors
    /// The certificates cannot be used.
    pub fn https_client(
        &self,
        address: &Address,
        timeout: Duration,
    ) -> Result<Client, SourceError> {
        let certificates = self.certificates();
        let identity = certificates.identity.as_ref();
        let identity = identity.map(|own| (&own.certificate[..], &own.key[..]));
        Client::open(address, timeout, &certificates.authorities, identity).map_err(|error| {
            SourceError::Certificates(format!("certificates for {}: {error}", address.setting))
        })
    }
}
