//! Connections to collectors with certificates of every kind.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use testkit::tls::{Authority, Identity};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::config::Reader;
use crate::https::TlsError;
use crate::https::tls::{certificates, config};
use crate::naming::Names;
use crate::telemetry::traces::TraceSettings;
use crate::telemetry::traces::export::{ExportError, OtlpExporter, SpanExporter};

/// A collector that accepts every request. Returns its port.
async fn collector(own: &Identity, clients: Option<&Authority>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let acceptor = TlsAcceptor::from(server(own, clients));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { answer(acceptor.accept(stream).await?).await });
        }
    });
    port
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.read_buf(&mut request).await?;
    }
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await?;
    stream.shutdown().await
}

fn server(own: &Identity, clients: Option<&Authority>) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions of TLS");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(&authority.pem()).expect("PEM") {
                roots.add(certificate).expect("an authority");
            }
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().expect("authorities"))
        }
    };
    let key = PrivateKeyDer::from_pem_slice(&own.key_pem()).expect("a key");
    let chain = certificates(&own.certificate_pem()).expect("PEM");
    Arc::new(builder.with_single_cert(chain, key).expect("a key of it"))
}

/// Exports nothing to a collector on this port, which the client reaches by `localhost`.
async fn export(
    port: u16,
    authorities: &[u8],
    identity: Option<&Identity>,
) -> Result<u64, ExportError> {
    let endpoint = format!("https://localhost:{port}");
    let reader = Reader::new([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)]);
    let settings = TraceSettings::read(&reader, "storefront").expect("on");
    let pems = identity.map(|own| (own.certificate_pem(), own.key_pem()));
    let pems = pems
        .as_ref()
        .map(|(certificate, key)| (&certificate[..], &key[..]));
    let settings = settings.with_certificates(authorities, pems).expect("PEM");
    let names = Names::new("demo").expect("a prefix");
    let exporter = OtlpExporter::new(&settings, &names);
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, exporter.export(Vec::new()))
        .await
        .expect("it is bounded")
}

async fn refused(own: &Identity, authorities: &[u8]) -> String {
    let error = export(collector(own, None).await, authorities, None).await;
    error.expect_err("the certificate is refused").to_string()
}

#[tokio::test]
async fn spans_are_sent_to_trusted_collectors_only() {
    let authority = Authority::new();
    let trusted = authority.pem();
    let good = authority.server();
    assert!(matches!(
        export(collector(&good, None).await, &trusted, None).await,
        Ok(0)
    ));
    for (certificate, authorities, wrong, setting) in [
        (&good, &b""[..], "authority is unknown", "TLS_CA_FILE"),
        (
            &good,
            &Authority::new().pem()[..],
            "authority is unknown",
            "TLS_CA_FILE",
        ),
        (
            &authority.server_with_other_name(),
            &trusted[..],
            "another name",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        (
            &authority.expired_server(),
            &trusted[..],
            "has expired",
            "clock",
        ),
    ] {
        let text = refused(certificate, authorities).await;
        assert!(
            text.contains(wrong) && text.contains(setting) && text.contains("localhost"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_collector_may_require_a_client_certificate() {
    let authority = Authority::new();
    let client = authority.client("storefront");
    let port = collector(&authority.server(), Some(&authority)).await;
    let trusted = authority.pem();
    assert!(matches!(export(port, &trusted, Some(&client)).await, Ok(0)));
    assert!(export(port, &trusted, None).await.is_err());
}

#[test]
fn unusable_certificates_are_refused_when_they_are_read() {
    let authority = Authority::new();
    let (one, other) = (authority.client("one"), authority.client("other"));
    assert!(matches!(config(b"not PEM", None), Err(TlsError::Empty)));
    let mixed = (&one.certificate_pem()[..], &other.key_pem()[..]);
    assert!(matches!(
        config(b"", Some(mixed)),
        Err(TlsError::Unusable(_))
    ));
    assert!(matches!(
        config(b"", Some((mixed.0, b"not PEM"))),
        Err(TlsError::Pem(_))
    ));
}
