//! Reads a secret from the service that its ARN names.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use crate::endpoint::Endpoint;
use crate::sign::{self, Scope};
use crate::{Access, AccessError, SecretArn, SecretService, SecretText};

/// Maximum time of one attempt, from the connection to the last byte.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Attempts, if they fail for a reason that passes. All of them and their pauses take less than the
/// 10 s that Lambda gives the start of a function.
const ATTEMPTS: u32 = 4;
/// The pause before the second attempt; it doubles. A random part of it is left out, since many
/// processes of a function start at the same time.
const PAUSE: Duration = Duration::from_millis(100);

/// A version of a secret of Secrets Manager. A parameter has one version only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// `AWSCURRENT`.
    Current,
    /// `AWSPENDING`: during a rotation the password that the server may have already.
    Pending,
}

impl Access {
    /// Reads a secret. Bounded in time: 4 attempts of at most 2 s, where another attempt can help.
    ///
    /// A parameter of Systems Manager is decrypted; `version` does not apply to it.
    pub async fn secret(
        &self,
        arn: &SecretArn,
        version: Version,
    ) -> Result<SecretText, AccessError> {
        let endpoint = self.endpoints.of(arn)?;
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match self.attempt(arn, version, &endpoint).await {
                Err(error) if error.is_transient() => {}
                ended => return ended,
            }
            sleep(pause.mul_f64(rand::random_range(0.5..=1.0))).await;
            pause *= 2;
        }
        self.attempt(arn, version, &endpoint).await
    }

    async fn attempt(
        &self,
        arn: &SecretArn,
        version: Version,
        endpoint: &Endpoint,
    ) -> Result<SecretText, AccessError> {
        let request = self.request(arn, version, endpoint).await?;
        let answer = crate::http::send(endpoint, self.tls()?, request);
        let answer = timeout(ATTEMPT, answer).await;
        let (status, body) = answer.unwrap_or_else(|_| {
            Err(AccessError::Timeout {
                server: endpoint.authority.to_string(),
                within: ATTEMPT,
            })
        })?;
        if status == StatusCode::OK {
            text_of(arn, &body)
        } else {
            Err(refusal(arn, endpoint, status, &body))
        }
    }

    async fn request(
        &self,
        arn: &SecretArn,
        version: Version,
        endpoint: &Endpoint,
    ) -> Result<Request<Bytes>, AccessError> {
        let (service, target, body) = match arn.service() {
            SecretService::SecretsManager => (
                "secretsmanager",
                "secretsmanager.GetSecretValue",
                serde_json::json!({
                    "SecretId": arn.as_str(),
                    "VersionStage": match version {
                        Version::Current => "AWSCURRENT",
                        Version::Pending => "AWSPENDING",
                    },
                }),
            ),
            SecretService::Ssm => (
                "ssm",
                "AmazonSSM.GetParameter",
                serde_json::json!({"Name": arn.as_str(), "WithDecryption": true}),
            ),
        };
        let signing = |e: &dyn std::error::Error| AccessError::Signing(e.to_string());
        let scheme = if endpoint.tls { "https" } else { "http" };
        let host = HeaderValue::from_str(endpoint.authority.as_str()).map_err(|e| signing(&e))?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{scheme}://{}/", endpoint.authority))
            .header(HOST, host)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(Bytes::from(body.to_string()))
            .map_err(|e| signing(&e))?;
        let scope = Scope {
            region: arn.region(),
            service,
            time: SystemTime::now(),
        };
        let credentials = self.credentials.current().await?;
        let signature = sign::headers(scope, credentials, &request)?;
        signature.apply_to_request_http1x(&mut request);
        // A server, unlike a proxy, is sent the path only.
        *request.uri_mut() = http::Uri::from_static("/");
        Ok(request)
    }
}

/// The answers of both services.
#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "SecretString")]
    secret: Option<String>,
    #[serde(rename = "Parameter")]
    parameter: Option<Parameter>,
}

#[derive(Deserialize)]
struct Parameter {
    #[serde(rename = "Value")]
    value: String,
}

fn text_of(arn: &SecretArn, body: &[u8]) -> Result<SecretText, AccessError> {
    let unreadable = |text| AccessError::Unreadable {
        arn: arn.to_string(),
        text,
    };
    let answer: Answer = strict_json::from_slice(body)
        .map_err(|_| unreadable("the answer is not a secret in JSON"))?;
    let text = match arn.service() {
        SecretService::SecretsManager => answer.secret,
        SecretService::Ssm => answer.parameter.map(|parameter| parameter.value),
    };
    text.map(SecretText::new)
        .ok_or_else(|| unreadable("it holds no text; a binary secret is not supported"))
}

/// An error of both services.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(rename = "__type", default)]
    code: String,
    #[serde(alias = "Message", default)]
    message: String,
}

/// The error that an answer means, by its code.
///
/// Codes: API references of `GetSecretValue` and `GetParameter`, and "Common Errors" of both.
fn refusal(arn: &SecretArn, endpoint: &Endpoint, status: StatusCode, body: &[u8]) -> AccessError {
    let refusal: Refusal = strict_json::from_slice(body).unwrap_or_default();
    // `com.amazonaws.ssm#ParameterNotFound`, or the code alone.
    let code = refusal.code.rsplit('#').next().unwrap_or_default();
    let text = match (code, refusal.message.as_str()) {
        ("", _) => format!("status {}", status.as_u16()),
        (code, "") => code.to_owned(),
        (code, message) => format!("{code}: {message}"),
    };
    let arn_text = arn.to_string();
    // A key that the role may not use is a denied access as well; only the message names it.
    let of_key = ["KMS", "kms:", "ciphertext"]
        .iter()
        .any(|word| refusal.message.contains(word));
    match code {
        "DecryptionFailure" | "InvalidKeyId" => AccessError::Key {
            arn: arn_text,
            text,
        },
        "AccessDeniedException" if of_key => AccessError::Key {
            arn: arn_text,
            text,
        },
        "AccessDeniedException"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "UnrecognizedClientException" => AccessError::Denied {
            arn: arn_text,
            action: match arn.service() {
                SecretService::SecretsManager => "secretsmanager:GetSecretValue",
                SecretService::Ssm => "ssm:GetParameter",
            },
            text,
        },
        "ResourceNotFoundException" | "ParameterNotFound" | "ParameterVersionNotFound" => {
            AccessError::NotFound {
                arn: arn_text,
                text,
            }
        }
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded" => AccessError::Throttled {
            arn: arn_text,
            text,
        },
        _ if status == StatusCode::TOO_MANY_REQUESTS => AccessError::Throttled {
            arn: arn_text,
            text,
        },
        _ if status.is_server_error() => AccessError::Unavailable {
            server: endpoint.authority.to_string(),
            text,
        },
        _ => AccessError::Refused {
            arn: arn_text,
            text,
        },
    }
}
