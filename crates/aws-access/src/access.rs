//! Region, credentials, endpoints and authorities.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;

use crate::{AccessError, Credentials, Endpoints};

/// How the services of AWS are reached. Cheap to clone. Connects when first used.
#[derive(Clone)]
pub struct Access {
    #[cfg_attr(not(feature = "tokens"), expect(dead_code))]
    pub(crate) region: String,
    pub(crate) credentials: Credentials,
    pub(crate) endpoints: Endpoints,
    authorities: Option<Vec<u8>>,
    /// Made when first used: to parse all authorities takes a millisecond.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Access {
    /// `region` is that of tokens; a secret is read from the region of its ARN.
    pub fn new(region: impl Into<String>, credentials: Credentials, endpoints: Endpoints) -> Self {
        Self {
            region: region.into(),
            credentials,
            endpoints,
            authorities: None,
            tls: Arc::default(),
        }
    }

    /// Trusts further authorities, in PEM, beside the built-in ones: those of a proxy, or of a
    /// service that stands in for AWS. Certificates that cannot be read are an error of the first
    /// request.
    #[must_use]
    pub fn trusting(self, authorities: Vec<u8>) -> Self {
        Self {
            authorities: Some(authorities),
            tls: Arc::default(),
            ..self
        }
    }

    pub(crate) fn tls(&self) -> Result<&Arc<ClientConfig>, AccessError> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let made = crate::http::tls(self.authorities.as_deref())?;
        Ok(self.tls.get_or_init(|| made))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").finish_non_exhaustive()
    }
}
