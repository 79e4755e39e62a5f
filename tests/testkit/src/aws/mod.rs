//! Secrets Manager and Systems Manager, as far as reading a secret goes.
//!
//! Requests are accepted only if their signature is the one that the service would compute: here
//! from the documented algorithm, not by the signer that is tested.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

mod signature;

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// The access key that the server knows.
pub const KEY_ID: &str = "AKIDEXAMPLE";
/// Its secret.
pub const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// The session token of its role.
pub const SESSION_TOKEN: &str = "session/token+of=role";

/// An access key.
#[derive(Debug, Clone, Copy)]
pub struct AccessKey {
    /// Its id.
    pub id: &'static str,
    /// Its secret.
    pub secret: &'static str,
    /// The session token of its role.
    pub session: &'static str,
}

const EXAMPLE: AccessKey = AccessKey {
    id: KEY_ID,
    secret: SECRET_KEY,
    session: SESSION_TOKEN,
};

/// The key that `usher` gives to the functions it runs.
pub const KEY_OF_USHER: AccessKey = AccessKey {
    id: "local",
    secret: "local",
    session: "local",
};

/// A server of secrets on a port of its own, until dropped.
pub struct SecretsServer {
    address: SocketAddr,
    key: AccessKey,
    state: Arc<State>,
    server: AbortHandle,
}

struct State {
    /// Signs the requests that are answered.
    key: AccessKey,
    content: Mutex<Content>,
    /// Wakes the requests that are held.
    released: Notify,
}

#[derive(Default)]
struct Content {
    /// By ARN and stage.
    secrets: HashMap<(String, String), String>,
    /// Answers to the next requests.
    failures: VecDeque<(StatusCode, Value)>,
    /// Requests are not answered.
    is_silent: bool,
    /// ARN and stage of each request that was signed correctly.
    reads: Vec<(String, String)>,
}

impl State {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecretsServer {
    /// Starts it.
    pub async fn start() -> Self {
        Self::with_key(EXAMPLE).await
    }

    /// Starts it for requests that are signed with this key.
    pub async fn with_key(key: AccessKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            key,
            content: Mutex::default(),
            released: Notify::new(),
        });
        let shared = state.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self {
            address,
            key,
            state,
            server: server.abort_handle(),
        }
    }

    /// Serves the same secrets over a stream, such as one with TLS.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        serve(stream, self.state.clone()).await;
    }

    /// Its address, as `AWS_ENDPOINT_URL` gives it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The variables with which a function reads its secrets here.
    pub fn variables(&self) -> [(String, String); 5] {
        [
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", self.key.id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", self.key.secret.to_owned()),
            ("AWS_SESSION_TOKEN", self.key.session.to_owned()),
            ("AWS_ENDPOINT_URL", self.url()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    }

    /// Sets a secret, or a parameter.
    pub fn put(&self, arn: &str, value: &str) {
        self.put_stage(arn, "AWSCURRENT", value);
    }

    /// Sets a version of a secret.
    pub fn put_stage(&self, arn: &str, stage: &str, value: &str) {
        let key = (arn.to_owned(), stage.to_owned());
        self.state.content().secrets.insert(key, value.to_owned());
    }

    /// Answers one of the next requests with an error.
    pub fn fail(&self, status: u16, code: &str, message: &str) {
        let status = StatusCode::from_u16(status).expect("a status");
        let body = json!({"__type": code, "message": message});
        self.state.content().failures.push_back((status, body));
    }

    /// Holds all requests, or answers those that were held.
    pub fn set_silent(&self, is_silent: bool) {
        self.state.content().is_silent = is_silent;
        self.state.released.notify_waiters();
    }

    /// ARN and stage of each request that was signed correctly.
    pub fn reads(&self) -> Vec<(String, String)> {
        self.state.content().reads.clone()
    }
}

impl Drop for SecretsServer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, state: Arc<State>) {
    let answer = service_fn(move |request| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(request, &state).await) }
    });
    // A client that goes away is part of the tests.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

async fn answer(request: Request<Incoming>, state: &State) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let Ok(body) = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
    else {
        return json_response(StatusCode::BAD_REQUEST, &Value::Null);
    };
    loop {
        let released = state.released.notified();
        tokio::pin!(released);
        released.as_mut().enable();
        if !state.content().is_silent {
            break;
        }
        released.await;
    }
    let (status, answer) = respond(&head, &body, state.key, &mut state.content());
    json_response(status, &answer)
}

fn respond(
    head: &http::request::Parts,
    body: &Bytes,
    key: AccessKey,
    content: &mut Content,
) -> (StatusCode, Value) {
    let target = head
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let (service, name) = match target {
        Some("secretsmanager.GetSecretValue") => ("secretsmanager", "SecretId"),
        Some("AmazonSSM.GetParameter") => ("ssm", "Name"),
        _ => return refused("UnknownOperationException", "no such operation"),
    };
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(arn) = request[name].as_str() else {
        return refused("InvalidParameterException", "no name");
    };
    let region = arn.split(':').nth(3).unwrap_or("");
    if let Err(invalid) = signature::verify(head, body, key, service, region) {
        return refused("InvalidSignatureException", &invalid.0);
    }
    let stage = request["VersionStage"].as_str().unwrap_or("AWSCURRENT");
    let key = (arn.to_owned(), stage.to_owned());
    content.reads.push(key.clone());
    if let Some(failure) = content.failures.pop_front() {
        return failure;
    }
    match (service, content.secrets.get(&key)) {
        ("ssm", _) if request["WithDecryption"] != json!(true) => {
            refused("ValidationException", "would be answered encrypted")
        }
        ("ssm", Some(value)) => (
            StatusCode::OK,
            json!({"Parameter": {"ARN": arn, "Type": "SecureString", "Value": value, "Version": 1}}),
        ),
        ("ssm", None) => refused("com.amazonaws.ssm#ParameterNotFound", ""),
        (_, Some(value)) => (
            StatusCode::OK,
            json!({"ARN": arn, "SecretString": value, "VersionStages": [stage]}),
        ),
        (_, None) => refused(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        ),
    }
}

fn refused(code: &str, message: &str) -> (StatusCode, Value) {
    (
        StatusCode::BAD_REQUEST,
        json!({"__type": code, "message": message}),
    )
}

fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response
}
