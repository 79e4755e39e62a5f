//! One request over a connection of its own: HTTP/1.1, over TLS or not.
//!
//! Secrets are read at start and after a rotation, so no connection is kept.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::AccessError;
use crate::endpoint::Endpoint;

/// Maximum bytes of an answer: a secret has at most 64 KiB, each byte at most 6 in JSON.
const MAX_ANSWER: usize = 512 * 1024;

/// The built-in authorities, and those of `pem`.
pub(crate) fn tls(pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, AccessError> {
    let wrong = |text: String| AccessError::Authorities(text);
    let mut roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    if let Some(pem) = pem {
        let built_in = roots.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
            roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
        }
        if roots.len() == built_in {
            return Err(wrong("there is no certificate in PEM".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong(e.to_string()))?;
    Ok(Arc::new(
        config.with_root_certificates(roots).with_no_client_auth(),
    ))
}

/// Sends a request and reads the whole answer. The caller bounds the time.
pub(crate) async fn send(
    endpoint: &Endpoint,
    tls: &Arc<ClientConfig>,
    request: Request<Bytes>,
) -> Result<(StatusCode, Bytes), AccessError> {
    let unavailable = |text: String| AccessError::Unavailable {
        server: endpoint.authority.to_string(),
        text,
    };
    let host = endpoint.authority.host();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = endpoint.authority.port_u16();
    let port = port.unwrap_or(if endpoint.tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await;
    let stream = stream.map_err(|e| unavailable(e.to_string()))?;
    let _ = stream.set_nodelay(true);
    if !endpoint.tls {
        let answer = exchange(stream, request).await;
        return answer.map_err(|e| unavailable(e.to_string()));
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|e| unavailable(e.to_string()))?;
    let stream = TlsConnector::from(tls.clone()).connect(name, stream).await;
    let stream = stream.map_err(|error| {
        let rejected = error
            .get_ref()
            .and_then(|e| e.downcast_ref::<rustls::Error>());
        match rejected {
            Some(rustls::Error::InvalidCertificate(reason)) => AccessError::Certificate {
                server: endpoint.authority.to_string(),
                text: reason.to_string(),
            },
            _ => unavailable(error.to_string()),
        }
    })?;
    let answer = exchange(stream, request).await;
    answer.map_err(|e| unavailable(e.to_string()))
}

/// Why there is no answer over an open connection.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The body is too long, or ends early.
    #[error(transparent)]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

async fn exchange<S>(
    stream: S,
    request: Request<Bytes>,
) -> Result<(StatusCode, Bytes), ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Ends with its sender, which receives the errors as well.
    tokio::spawn(async { drop(connection.await) });
    let answer = sender.send_request(request.map(Full::new)).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
    Ok((status, body.map_err(ExchangeError::Body)?.to_bytes()))
}
