//! The service's certificate is verified: chain, name and date.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_access::{Access, AccessError, Credentials, Version};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use testkit::aws::{KEY_ID, SECRET_KEY, SecretsServer};
use testkit::tls::{Authority, Identity};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{SECRET, arn, endpoints};

/// Serves the secrets of a server over TLS, until the test ends.
async fn over_tls(server: SecretsServer, identity: &Identity) -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(&identity.certificate_pem()).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(&identity.key_pem()).expect("PEM");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("a certificate and its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                server.serve(stream).await;
            }
        }
    });
    address
}

async fn read(identity: &Identity, authorities: Option<Vec<u8>>) -> Result<String, AccessError> {
    let server = SecretsServer::start().await;
    server.put(SECRET, "hush");
    let address = over_tls(server, identity).await;
    let credentials = Credentials::new(KEY_ID, SECRET_KEY, None);
    let endpoints = endpoints(&format!("https://{address}"));
    let mut access = Access::new("eu-central-1", credentials, endpoints);
    if let Some(pem) = authorities {
        access = access.trusting(pem);
    }
    let secret = access.secret(&arn(SECRET), Version::Current).await;
    secret.map(|secret| secret.expose().to_owned())
}

#[tokio::test]
async fn a_certificate_of_a_trusted_authority_is_accepted() {
    let authority = Authority::new();
    let secret = read(&authority.server(), Some(authority.pem())).await;
    assert_eq!(secret, Ok("hush".to_owned()));
}

#[tokio::test]
async fn other_certificates_are_refused_with_their_reason() {
    let authority = Authority::new();
    let pem = authority.pem();
    for (identity, trusted, reason) in [
        (authority.server(), None, "UnknownIssuer"),
        // An authority of the same name with another key.
        (
            authority.server(),
            Some(Authority::new().pem()),
            "BadSignature",
        ),
        (
            authority.server_with_other_name(),
            Some(pem.clone()),
            "not valid for name",
        ),
        (authority.expired_server(), Some(pem.clone()), "expired"),
    ] {
        let error = read(&identity, trusted).await.expect_err(reason);
        assert!(matches!(error, AccessError::Certificate { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn authorities_that_are_none_are_an_error() {
    let authority = Authority::new();
    for pem in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = read(&authority.server(), Some(pem.into()))
            .await
            .expect_err("no authority");
        assert!(matches!(error, AccessError::Authorities(_)), "{error}");
    }
}
