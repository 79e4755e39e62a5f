//! Keys for tokens that change while the host runs: files, URLs, and what happens when they cannot
//! be read.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey};
use reqwest::StatusCode;
use sam_template::model::KeySource;
use serde_json::json;
use testkit::eventually;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use usher::http::{KeyStore, RefreshIntervals};

use crate::http_fixture::{KNOWN, STRANGER, Server, claims, get, guarded, jwks, serve_with, token};

/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3_600);

/// A token that this key signed under this id.
fn signed(kid: &str, pem: &str) -> String {
    token(
        Algorithm::RS256,
        kid,
        &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
        &claims(&json!({})),
    )
}

async fn passes(server: &Server, token: &str) -> bool {
    get(server, "/mine", Some(token)).await.status() == StatusCode::OK
}

/// A server of one document, which the test changes; it counts how often it is read.
struct Issuer {
    url: String,
    /// `None`: it answers 500.
    document: Arc<Mutex<Option<String>>>,
    reads: Arc<AtomicUsize>,
}

impl Issuer {
    async fn with(document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/.well-known/jwks.json",
            listener.local_addr().unwrap()
        );
        let document = Arc::new(Mutex::new(Some(document)));
        let reads = Arc::new(AtomicUsize::new(0));
        let shown = document.clone();
        let count = reads.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4_096];
                if !matches!(stream.read(&mut request).await, Ok(1..)) {
                    continue;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = match &*shown.lock().unwrap() {
                    Some(body) => format!(
                        "HTTP/1.1 200 OK\r\nconnection: \
                                           close\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    ),
                    None => "HTTP/1.1 500 Internal Server Error\r\nconnection: \
                             close\r\ncontent-length: 0\r\n\r\n"
                        .to_owned(),
                };
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self {
            url,
            document,
            reads,
        }
    }

    fn shows(&self, document: Option<String>) {
        *self.document.lock().unwrap() = document;
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    async fn store(&self, refresh: RefreshIntervals) -> Arc<KeyStore> {
        Arc::new(
            KeyStore::load(KeySource::Url(self.url.clone()), refresh)
                .await
                .unwrap(),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_key_file_admits_new_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, jwks(&[("k1", KNOWN)])).unwrap();
    let refresh = RefreshIntervals {
        file: Duration::from_millis(10),
        url: NEVER,
        unknown_key: NEVER,
    };
    let store = Arc::new(
        KeyStore::load(KeySource::File(file.clone()), refresh)
            .await
            .unwrap(),
    );
    let server = serve_with(guarded(), Some(store.clone())).await;
    let following = tokio::spawn({
        let store = store.clone();
        async move { store.follow().await }
    });
    let old = signed("k1", KNOWN);
    let new = signed("k2", STRANGER);
    assert!(passes(&server, &old).await && !passes(&server, &new).await);
    std::fs::write(&file, jwks(&[("k1", KNOWN), ("k2", STRANGER)])).unwrap();
    eventually("both keys are taken", async || {
        (passes(&server, &new).await && passes(&server, &old).await).then_some(())
    })
    .await;
    std::fs::write(&file, jwks(&[("k2", STRANGER)])).unwrap();
    eventually("the old key is taken no more", async || {
        (!passes(&server, &old).await).then_some(())
    })
    .await;
    std::fs::write(&file, "{").unwrap();
    eventually("the bad file is counted", async || {
        (store.status().refresh_failures > 0).then_some(())
    })
    .await;
    assert!(passes(&server, &new).await, "and changes nothing");
    following.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_causes_one_read() {
    let issuer = Issuer::with(jwks(&[("k1", KNOWN)])).await;
    let store = issuer
        .store(RefreshIntervals {
            url: NEVER,
            file: NEVER,
            unknown_key: NEVER,
        })
        .await;
    let server = serve_with(guarded(), Some(store)).await;
    assert!(passes(&server, &signed("k1", KNOWN)).await);
    assert_eq!(issuer.reads(), 1, "a known key costs no read");
    issuer.shows(Some(jwks(&[("k1", KNOWN), ("k2", STRANGER)])));
    let new = signed("k2", STRANGER);
    let many = futures::future::join_all((0..20).map(|_| passes(&server, &new))).await;
    assert!(
        many.iter().all(|passed| *passed),
        "every request that waited for the read passes: {many:?}"
    );
    let strange = signed("k9", STRANGER);
    let many = futures::future::join_all((0..20).map(|_| passes(&server, &strange))).await;
    assert!(many.iter().all(|passed| !passed));
    assert_eq!(
        issuer.reads(),
        2,
        "tokens with invented keys cannot make the host read"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_keys_stay_while_the_issuer_is_away() {
    let issuer = Issuer::with(jwks(&[("k1", KNOWN)])).await;
    let refresh = RefreshIntervals {
        url: Duration::from_millis(10),
        file: NEVER,
        unknown_key: NEVER,
    };
    let store = issuer.store(refresh).await;
    let server = serve_with(guarded(), Some(store.clone())).await;
    let following = tokio::spawn({
        let store = store.clone();
        async move { store.follow().await }
    });
    for broken in [
        None,
        Some("no document".to_owned()),
        Some(json!({ "keys": [] }).to_string()),
    ] {
        issuer.shows(broken);
        let before = store.status().refresh_failures;
        eventually("a refresh fails", async || {
            (store.status().refresh_failures > before + 1).then_some(())
        })
        .await;
        assert!(passes(&server, &signed("k1", KNOWN)).await && store.status().problem.is_some());
    }
    issuer.shows(Some(jwks(&[("k2", STRANGER)])));
    eventually("the new key is taken", async || {
        passes(&server, &signed("k2", STRANGER)).await.then_some(())
    })
    .await;
    assert_eq!((store.status().problem, store.status().keys), (None, 1));
    following.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_issuer_is_reported() {
    let issuer = Issuer::with(String::new()).await;
    issuer.shows(None);
    let secure = issuer.url.replace("http://", "https://");
    for (url, part) in [
        (issuer.url.clone(), "500"),
        (secure.clone(), secure.as_str()),
        ("http://127.0.0.1:1/".into(), "refused"),
    ] {
        let wrong = KeyStore::load(KeySource::Url(url.clone()), RefreshIntervals::default())
            .await
            .unwrap_err()
            .to_string();
        assert!(
            wrong.contains(&url) && wrong.contains(part) && wrong.contains("--jwks"),
            "{wrong}"
        );
    }
}
