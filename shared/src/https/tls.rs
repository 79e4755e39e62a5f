//! TLS towards services. Certificates are always verified: chain, name and date.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// They are not certificates or keys in PEM.
    #[error("{0}")]
    Pem(#[from] pem::Error),
    /// They are in PEM, but cannot be used.
    #[error("{0}")]
    Unusable(#[from] rustls::Error),
    /// There is no certificate in the text.
    #[error("there is none in PEM")]
    Empty,
}

/// The server's certificate is refused. No retry mends that.
#[derive(Debug, thiserror::Error)]
#[error("the certificate of {server} is refused: {reason}. {}", .reason.hint(.setting))]
pub(crate) struct RefusedCertificate {
    server: String,
    /// The variable that holds the server's address.
    setting: &'static str,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    UnknownAuthority,
    OtherName,
    Expired,
    Other(CertificateError),
}

impl Reason {
    fn hint(&self, setting: &str) -> String {
        match self {
            Self::UnknownAuthority => {
                "Name a file with the authority's certificate in TLS_CA_FILE".to_owned()
            }
            Self::OtherName => format!("Check the host in {setting}"),
            Self::Expired => "Renew it, or check this machine's clock".to_owned(),
            Self::Other(_) => "Check it, and the certificates in TLS_CA_FILE".to_owned(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => f.write_str("its authority is unknown"),
            Self::OtherName => f.write_str("it is for another name"),
            Self::Expired => f.write_str("it has expired, or is not valid yet"),
            Self::Other(error) => error.fmt(f),
        }
    }
}

impl From<CertificateError> for Reason {
    fn from(error: CertificateError) -> Self {
        match error {
            // A trusted authority of the same name, with another key, has not issued it either.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownAuthority
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Self::Expired,
            other => Self::Other(other),
        }
    }
}

/// Trusts the built-in authorities and those of `authorities`, which may be empty. `identity`: the
/// client's certificate, followed by those of intermediate authorities, and its key. All in PEM.
pub(crate) fn config(
    authorities: &[u8],
    identity: Option<(&[u8], &[u8])>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    let mut roots: RootCertStore = roots.collect();
    if !authorities.is_empty() {
        for certificate in certificates(authorities)? {
            roots.add(certificate)?;
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(Arc::new(match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key)?;
            builder.with_client_auth_cert(certificates(certificate)?, key)?
        }
    }))
}

pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(TlsError::Empty);
    }
    Ok(found)
}

/// Encrypts a connection to a host. The error is a [`RefusedCertificate`] if it is one.
pub(crate) async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
    setting: &'static str,
) -> Result<TlsStream<TcpStream>, super::connection::BoxError> {
    let name = ServerName::try_from(host.to_owned())?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    connected
        .map_err(|error| refused(host, setting, &error).map_or_else(|| error.into(), Into::into))
}

fn refused(host: &str, setting: &'static str, error: &io::Error) -> Option<RefusedCertificate> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(error) = error else {
        return None;
    };
    Some(RefusedCertificate {
        server: host.to_owned(),
        setting,
        reason: error.clone().into(),
    })
}
