//! TLS: the client's configuration, and what its errors mean.

use std::error::Error;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};

use super::LinkError;
use super::options::{SettingNames, TlsMaterial};
use super::refusal::RefusalReason;

/// The configuration of all connections of a link.
pub(super) fn configuration(
    material: &TlsMaterial,
    names: &SettingNames,
) -> Result<Arc<ClientConfig>, LinkError> {
    let unusable = |setting: &str, error: &dyn std::fmt::Display| {
        LinkError::Protocol(format!(
            "{setting} cannot be used for TLS to Redis: {error}"
        ))
    };
    let built_in = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
    let mut roots: RootCertStore = built_in.collect();
    for certificate in CertificateDer::pem_slice_iter(&material.authorities) {
        certificate
            .map_err(|error| unusable(names.authorities, &error))
            .and_then(|certificate| {
                let added = roots.add(certificate);
                added.map_err(|error| unusable(names.authorities, &error))
            })?;
    }
    if roots.len() == webpki_roots::TLS_SERVER_ROOTS.len() && !material.authorities.is_empty() {
        return Err(unusable(names.authorities, &"it contains no certificate"));
    }
    // Named, because a process may contain several providers and no default one.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let configuration = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("this build", &error))?
        .with_root_certificates(roots);
    let Some(client) = &material.client else {
        return Ok(Arc::new(configuration.with_no_client_auth()));
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&client.chain)
        .collect::<Result<_, _>>()
        .map_err(|error| unusable(names.client_certificate, &error))?;
    let key = PrivateKeyDer::from_pem_slice(&client.key)
        .map_err(|error| unusable(names.client_certificate, &error))?;
    let configuration = configuration
        .with_client_auth_cert(chain, key)
        .map_err(|error| unusable(names.client_certificate, &error))?;
    Ok(Arc::new(configuration))
}

/// The server speaks Redis without TLS.
#[derive(Debug, thiserror::Error)]
#[error("{}", RefusalReason::PlainServer)]
pub(super) struct PlainServer;

/// Why TLS failed, if an error of a connection comes from TLS.
pub(super) fn reason(error: &(dyn Error + 'static)) -> Option<RefusalReason> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(classify(error));
        }
        if error.is::<PlainServer>() {
            return Some(RefusalReason::PlainServer);
        }
        // `source` of an I/O error skips the error that it wraps, and the client library shares its
        // own errors.
        cause = if let Some(io) = error.downcast_ref::<std::io::Error>() {
            io.get_ref().map(|inner| inner as &(dyn Error + 'static))
        } else if let Some(shared) = error.downcast_ref::<Arc<dyn Error + Send + Sync>>() {
            Some(shared.as_ref())
        } else {
            error.source()
        };
    }
    None
}

fn classify(error: &rustls::Error) -> RefusalReason {
    use CertificateError as Certificate;
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            // A trusted authority has the name of the issuer, and another key: it was made again.
            Certificate::UnknownIssuer | Certificate::BadSignature => {
                RefusalReason::UnknownAuthority
            }
            Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => {
                RefusalReason::OtherName
            }
            Certificate::Expired | Certificate::ExpiredContext { .. } => RefusalReason::Expired,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
                RefusalReason::NotYetValid
            }
            other => RefusalReason::Certificate(other.to_string()),
        },
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied => {
                RefusalReason::ClientCertificate(format!("{alert:?}"))
            }
            other => RefusalReason::Handshake(format!("{other:?}")),
        },
        rustls::Error::InvalidMessage(_) => RefusalReason::PlainServer,
        other => RefusalReason::Handshake(other.to_string()),
    }
}
