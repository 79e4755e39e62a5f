//! Responses of the service in the function's place: one table, a column for each kind of API.
//!
//! The texts are the services' own. Sources and open questions stand in
//! `docs/reference/conformance/http.md`.

use http::StatusCode;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};

use super::authorizer::Denied;
use crate::listener::{Reply, json_reply, reply, set_header};
use sam_template::model::ApiKind;

/// Why the service answers in the function's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ApiRefusal {
    /// No route matches the request.
    NoRoute,
    /// By the authorizer, with the route's scopes.
    Denied(Denied, Vec<String>),
    /// The request cannot be read.
    BadRequest,
    /// The request's body is not complete in time.
    SlowRequest,
    /// The body, or the event with it, is larger than allowed.
    TooLarge,
    /// The function failed, crashed, or reached its Timeout.
    FunctionFailed,
    /// The function's answer cannot be sent as a response.
    BadAnswer,
    /// The function did not answer within the route's timeout.
    TooSlow,
    /// The route's rate limit is reached.
    TooMany,
    /// All instances are busy.
    Throttled,
    /// The host is draining.
    Unreachable,
    /// The host is short of memory for bodies, open files or processes. The client may retry.
    NoRoom,
    /// A fault of this host.
    Internal,
}

impl ApiRefusal {
    /// The response of this kind of API.
    pub(super) fn reply(&self, kind: &ApiKind) -> Reply {
        let mut reply = match kind {
            ApiKind::Http => http_api(self),
            ApiKind::Rest(_) => rest_api(self),
            ApiKind::FunctionUrl => function_url(self),
        };
        if let Self::Denied(denied, scopes) = self {
            let challenge = challenge(*denied, &scopes.join(" "));
            set_header(&mut reply, WWW_AUTHENTICATE, &challenge);
        }
        if *self == Self::NoRoom {
            set_header(&mut reply, RETRY_AFTER, "1");
        }
        reply
    }
}

fn http_api(refusal: &ApiRefusal) -> Reply {
    let (status, text) = match refusal {
        ApiRefusal::NoRoute => (404, "Not Found"),
        ApiRefusal::Denied(Denied::Scope, _) => (403, "Forbidden"),
        ApiRefusal::Denied(..) => (401, "Unauthorized"),
        ApiRefusal::BadRequest => (400, "Bad Request"),
        ApiRefusal::SlowRequest => (408, "Request Timeout"),
        ApiRefusal::TooLarge => (413, "Request Entity Too Large"),
        ApiRefusal::TooMany => (429, "Too Many Requests"),
        ApiRefusal::FunctionFailed | ApiRefusal::BadAnswer | ApiRefusal::Internal => {
            (500, "Internal Server Error")
        }
        ApiRefusal::TooSlow
        | ApiRefusal::Throttled
        | ApiRefusal::Unreachable
        | ApiRefusal::NoRoom => (503, "Service Unavailable"),
    };
    message(status, text)
}

/// REST APIs name the reason in a header as well.
fn rest_api(refusal: &ApiRefusal) -> Reply {
    let (status, text, error) = match refusal {
        ApiRefusal::NoRoute => (
            403,
            "Missing Authentication Token",
            "MissingAuthenticationTokenException",
        ),
        ApiRefusal::Denied(Denied::Scope, _) => (403, "Forbidden", "ForbiddenException"),
        ApiRefusal::Denied(..) => (401, "Unauthorized", "UnauthorizedException"),
        ApiRefusal::BadRequest => (400, "Bad Request", "BadRequestException"),
        ApiRefusal::SlowRequest => (408, "Request Timeout", "RequestTimeoutException"),
        ApiRefusal::TooLarge => (413, "Request Too Long", "RequestTooLongException"),
        ApiRefusal::TooMany => (429, "Too Many Requests", "TooManyRequestsException"),
        ApiRefusal::FunctionFailed | ApiRefusal::BadAnswer => {
            (502, "Internal server error", "InternalServerErrorException")
        }
        ApiRefusal::TooSlow => (
            504,
            "Endpoint request timed out",
            "InternalServerErrorException",
        ),
        ApiRefusal::NoRoom => (503, "Service Unavailable", "ServiceUnavailableException"),
        ApiRefusal::Throttled | ApiRefusal::Unreachable | ApiRefusal::Internal => {
            (500, "Internal server error", "InternalServerErrorException")
        }
    };
    let mut reply = message(status, text);
    set_header(&mut reply, "x-amzn-errortype", error);
    reply
}

/// Function URLs answer failures of the function with plain text.
fn function_url(refusal: &ApiRefusal) -> Reply {
    match refusal {
        // a URL accepts every method and path, and has no authorizer
        ApiRefusal::NoRoute | ApiRefusal::Denied(..) => message(403, "Forbidden"),
        ApiRefusal::BadRequest | ApiRefusal::SlowRequest | ApiRefusal::TooLarge => {
            http_api(refusal)
        }
        // a URL has no rate limit
        ApiRefusal::TooMany | ApiRefusal::Throttled => message(429, "Rate Exceeded."),
        ApiRefusal::FunctionFailed | ApiRefusal::BadAnswer | ApiRefusal::TooSlow => {
            text(502, "Internal Server Error")
        }
        ApiRefusal::Unreachable | ApiRefusal::NoRoom => text(503, "Service Unavailable"),
        ApiRefusal::Internal => text(500, "Internal Server Error"),
    }
}

/// The `WWW-Authenticate` header: the token that the client needs.
fn challenge(denied: Denied, scopes: &str) -> String {
    match denied {
        Denied::Missing => "Bearer".to_owned(),
        Denied::Invalid(why) => {
            format!("Bearer scope=\"{scopes}\" error=\"invalid_token\" error_description=\"{why}\"")
        }
        Denied::Scope => format!("Bearer scope=\"{scopes}\" error=\"insufficient_scope\""),
    }
}

/// A status with `{"message": ...}`.
fn message(status: u16, text: &str) -> Reply {
    json_reply(status_code(status), format!("{{\"message\":\"{text}\"}}"))
}

fn text(status: u16, text: &'static str) -> Reply {
    reply(status_code(status), "text/plain", text)
}

fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::BodyExt as _;

    use super::*;
    use sam_template::model::RestApi;

    /// Status and body of each refusal, in the order of [`ALL`].
    async fn column(kind: &ApiKind) -> Vec<(u16, String)> {
        let mut column = Vec::new();
        for refusal in ALL {
            let reply = refusal.reply(kind);
            let status = reply.status().as_u16();
            let body = reply.into_body().collect().await.unwrap().to_bytes();
            column.push((status, String::from_utf8(body.to_vec()).unwrap()));
        }
        column
    }

    const ALL: [ApiRefusal; 6] = [
        ApiRefusal::NoRoute,
        ApiRefusal::FunctionFailed,
        ApiRefusal::BadAnswer,
        ApiRefusal::TooSlow,
        ApiRefusal::Throttled,
        ApiRefusal::TooLarge,
    ];

    fn json(status: u16, text: &str) -> (u16, String) {
        (status, format!("{{\"message\":\"{text}\"}}"))
    }

    #[tokio::test]
    async fn an_http_api_answers_500_and_503() {
        let expected = [
            json(404, "Not Found"),
            json(500, "Internal Server Error"),
            json(500, "Internal Server Error"),
            json(503, "Service Unavailable"),
            json(503, "Service Unavailable"),
            json(413, "Request Entity Too Large"),
        ];
        assert_eq!(column(&ApiKind::Http).await, expected);
    }

    #[tokio::test]
    async fn a_rest_api_distinguishes_its_refusals() {
        let expected = [
            json(403, "Missing Authentication Token"),
            json(502, "Internal server error"),
            json(502, "Internal server error"),
            json(504, "Endpoint request timed out"),
            json(500, "Internal server error"),
            json(413, "Request Too Long"),
        ];
        let rest = ApiKind::Rest(RestApi::default());
        assert_eq!(column(&rest).await, expected);
        assert_eq!(
            ApiRefusal::NoRoute.reply(&rest).headers()["x-amzn-errortype"],
            "MissingAuthenticationTokenException"
        );
    }

    #[tokio::test]
    async fn a_function_url_answers_502_as_text_and_429() {
        let failed = (502, "Internal Server Error".to_owned());
        let expected = [
            json(403, "Forbidden"),
            failed.clone(),
            failed.clone(),
            failed,
            json(429, "Rate Exceeded."),
            json(413, "Request Entity Too Large"),
        ];
        assert_eq!(column(&ApiKind::FunctionUrl).await, expected);
    }

    #[test]
    fn a_host_without_room_sends_retry_after() {
        for kind in [
            ApiKind::Http,
            ApiKind::Rest(RestApi::default()),
            ApiKind::FunctionUrl,
        ] {
            let reply = ApiRefusal::NoRoom.reply(&kind);
            assert_eq!(
                (reply.status().as_u16(), &reply.headers()[RETRY_AFTER]),
                (503, &HeaderValue::from_static("1"))
            );
        }
    }

    #[test]
    fn a_denied_client_receives_a_challenge() {
        let reply =
            ApiRefusal::Denied(Denied::Scope, vec!["a".into(), "b".into()]).reply(&ApiKind::Http);
        assert_eq!(
            reply.headers()[WWW_AUTHENTICATE],
            "Bearer scope=\"a b\" error=\"insufficient_scope\""
        );
    }
}
