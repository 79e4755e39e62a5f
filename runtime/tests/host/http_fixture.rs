//! HTTP APIs over a real listener, with functions in this process, and tokens for their
//! authorizers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, StatusCode};
use sam_template::model::{Api, ApiKind, JwtAuthorizer, KeySource, RestApi, Route};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use usher::http::{self, KeyStore, RefreshIntervals, ServeError};
use usher::invocation::{
    ConcurrencyLimit, FunctionError, Invoke, Outcome, Rejected, Request, Response,
};
use usher::listener::{Endpoint, Listener};

/// Functions that do what their names say.
#[derive(Default)]
pub(crate) struct FakeFunctions {
    pub(crate) entered: Notify,
    pub(crate) release: Notify,
}

#[async_trait::async_trait]
impl Invoke for FakeFunctions {
    async fn invoke(&self, request: Request, _wait_for_slot: bool) -> Result<Response, Rejected> {
        let answer = |value: Value| Outcome::Answer(Bytes::from(value.to_string()));
        let event: Value = serde_json::from_slice(&request.payload).unwrap();
        let outcome = match request.function.as_str() {
            "Echo" => answer(json!({ "event": event })),
            // the same in the form that REST APIs require
            "Show" => answer(json!({ "statusCode": 200, "body": event.to_string() })),
            // the body of the request is the answer
            "Say" => Outcome::Answer(Bytes::from(
                event["body"].as_str().unwrap_or_default().to_owned(),
            )),
            "Fail" => Outcome::Error(FunctionError {
                error_type: "E".into(),
                message: "secret detail".into(),
                body: Bytes::new(),
            }),
            "Busy" => {
                return Err(Rejected::Throttled(ConcurrencyLimit {
                    function: request.function,
                    limit: 1,
                    per_instance: 1,
                    reserved: true,
                }));
            }
            "Never" => std::future::pending().await,
            "Held" => {
                self.entered.notify_one();
                self.release.notified().await;
                answer(json!("done"))
            }
            other => panic!("no function {other}"),
        };
        Ok(Response {
            request_id: "r".into(),
            outcome,
        })
    }
}

pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) functions: Arc<FakeFunctions>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) serving: tokio::task::JoinHandle<Result<(), ServeError>>,
}

pub(crate) fn route(key: &str, function: &str) -> Route {
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    Route {
        method: method.into(),
        path: path.into(),
        function: function.into(),
        authorizer: None,
        scopes: Vec::new(),
        timeout: Duration::from_secs(30),
    }
}

pub(crate) fn api(routes: Vec<Route>) -> Api {
    Api {
        id: "Api".into(),
        routes,
        stage: "$default".into(),
        ..Api::default()
    }
}

pub(crate) fn rest(routes: &[(&str, &str)], settings: RestApi) -> Api {
    Api {
        id: "Rest".into(),
        kind: ApiKind::Rest(settings),
        routes: routes
            .iter()
            .map(|(key, function)| route(key, function))
            .collect(),
        stage: "prod".into(),
        variables: BTreeMap::from([("colour".into(), "blue".into())]),
        ..Api::default()
    }
}

pub(crate) async fn serve_with(api: Api, keys: Option<Arc<KeyStore>>) -> Server {
    let listener = Listener::bind(Endpoint::loopback("test")).await.unwrap();
    let url = format!("http://{}", listener.address());
    let functions = Arc::new(FakeFunctions::default());
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(http::serve(
        api,
        listener,
        keys,
        functions.clone(),
        usher::instances::Logs::to(std::io::sink()).http(),
        stopping,
    ));
    Server {
        url,
        functions,
        stop,
        serving,
    }
}

pub(crate) async fn serve(routes: &[(&str, &str)]) -> Server {
    serve_with(
        api(routes
            .iter()
            .map(|(key, function)| route(key, function))
            .collect()),
        None,
    )
    .await
}

pub(crate) async fn message(response: reqwest::Response) -> (StatusCode, Value) {
    (response.status(), response.json().await.unwrap())
}

pub(crate) const KNOWN: &str = include_str!("keys/known.pem");
pub(crate) const STRANGER: &str = include_str!("keys/stranger.pem");

/// The public half of the known key, from a file that is gone: the keys never change.
pub(crate) async fn key_store() -> Arc<KeyStore> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwks(&[("k1", KNOWN)])).unwrap();
    let source = KeySource::File(file.path().to_owned());
    let store = KeyStore::load(source, RefreshIntervals::default()).await;
    Arc::new(store.unwrap())
}

/// A JWKS document with these private keys' public halves.
pub(crate) fn jwks(keys: &[(&str, &str)]) -> String {
    let one = |(kid, pem): &(&str, &str)| {
        let mut jwk = Jwk::from_encoding_key(
            &EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            Algorithm::RS256,
        )
        .unwrap();
        jwk.common.key_id = Some((*kid).to_owned());
        jwk
    };
    json!({ "keys": keys.iter().map(one).collect::<Vec<_>>() }).to_string()
}

pub(crate) fn guarded() -> Api {
    let mut routes = vec![
        route("GET /mine", "Echo"),
        route("GET /write", "Echo"),
        route("GET /open", "Echo"),
    ];
    routes[0].authorizer = Some("Jwt".into());
    routes[1].authorizer = Some("Jwt".into());
    routes[1].scopes = vec!["write".into(), "admin".into()];
    let jwt = JwtAuthorizer {
        issuer: "https://issuer.test/".into(),
        audience: vec!["app".into()],
        identity_source: "$request.header.Authorization".into(),
        scopes: Vec::new(),
    };
    Api {
        authorizers: BTreeMap::from([("Jwt".into(), jwt)]),
        ..api(routes)
    }
}

pub(crate) fn claims(change: &Value) -> Value {
    let mut claims = json!({"iss": "https://issuer.test/", "aud": "app", "sub": "alice", "exp": 4_000_000_000_u64, "groups": ["a", "b"]});
    for (key, value) in change.as_object().unwrap() {
        claims[key] = value.clone();
    }
    claims
}

pub(crate) fn token(algorithm: Algorithm, kid: &str, key: &EncodingKey, claims: &Value) -> String {
    jsonwebtoken::encode(
        &Header {
            kid: Some(kid.into()),
            ..Header::new(algorithm)
        },
        claims,
        key,
    )
    .unwrap()
}

pub(crate) fn good_token(change: &Value) -> String {
    token(
        Algorithm::RS256,
        "k1",
        &EncodingKey::from_rsa_pem(KNOWN.as_bytes()).unwrap(),
        &claims(change),
    )
}

pub(crate) async fn get(server: &Server, path: &str, token: Option<&str>) -> reqwest::Response {
    let request = Client::new().get(format!("{}{path}", server.url));
    match token {
        Some(token) => request.header("authorization", token).send().await.unwrap(),
        None => request.send().await.unwrap(),
    }
}

pub(crate) async fn json_body(response: reqwest::Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

pub(crate) async fn post(
    server: &Server,
    path: &str,
    content_type: &str,
    body: impl Into<reqwest::Body>,
) -> reqwest::Response {
    Client::new()
        .post(format!("{}{path}", server.url))
        .header("content-type", content_type)
        .body(body)
        .send()
        .await
        .unwrap()
}
