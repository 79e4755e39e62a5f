//! A request as the gateway sends it, and a response as it takes it: payload format 2.0 of HTTP APIs
//! (AWS: "Create AWS Lambda proxy integrations for HTTP APIs in API Gateway").
//!
//! Only what this API uses is read: converting every member of an event into an `http` request, and
//! an `http` response back into JSON, takes several times the CPU time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Call, FieldError, Fields};
use crate::identity::Claims;

/// A request of the gateway.
#[derive(Debug, Clone, Default)]
pub struct HttpEvent {
    /// The request.
    pub call: Call,
    /// User-Agent, as the gateway received it.
    pub user_agent: Option<String>,
    /// The query, as it was sent.
    pub raw_query: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    raw_path: String,
    raw_query_string: String,
    #[serde(default)]
    headers: Headers,
    request_context: Context,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context {
    http: Http,
    #[serde(default)]
    authorizer: Option<Authorizer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Http {
    method: String,
    #[serde(default)]
    source_ip: Option<String>,
    #[serde(default)]
    user_agent: Option<String>,
}

#[derive(Deserialize)]
struct Authorizer {
    #[serde(default)]
    jwt: Option<Jwt>,
}

#[derive(Deserialize)]
struct Jwt {
    #[serde(default)]
    claims: Option<HashMap<String, String>>,
}

/// Values by name in lower case. A value outside of visible ASCII is unreadable.
#[derive(Default)]
struct Headers(Fields);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Headers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("headers")
            }

            fn visit_unit<E: Error>(self) -> Result<Headers, E> {
                Ok(Headers::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Headers, A::Error> {
                let mut headers = Fields::default();
                while let Some((mut name, value)) = pairs.next_entry::<String, String>()? {
                    name.make_ascii_lowercase();
                    let readable = value.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
                    headers.add(name, readable.then_some(value).ok_or(FieldError::NotAscii));
                }
                Ok(Headers(headers))
            }
        }

        deserializer.deserialize_any(Pairs)
    }
}

impl<'de> Deserialize<'de> for HttpEvent {
    /// The runtime's deserializer records the path to each member for its errors, which costs an
    /// allocation each. It only delimits the text of the event, which is read here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?;
        let payload: Payload = strict_json::from_str(text.get()).map_err(D::Error::custom)?;
        let Context { http, authorizer } = payload.request_context;
        let claims = authorizer.and_then(|authorizer| authorizer.jwt?.claims);
        let body = payload.body.unwrap_or_default().into_bytes();
        let body = if payload.is_base64_encoded {
            base64_simd::STANDARD
                .decode_to_vec(&body)
                .map_err(|error| D::Error::custom(format_args!("body: {error}")))?
        } else {
            body
        };
        let source_ip = http.source_ip.and_then(|ip| ip.parse::<IpAddr>().ok());
        // An IPv4 address that is written as IPv6 is the IPv4 address.
        let source_ip = source_ip.map(|ip| ip.to_canonical());
        let call = Call {
            method: http.method,
            path: payload.raw_path,
            query: query(&payload.raw_query_string),
            headers: payload.headers.0,
            body,
            claims: Claims::new(claims.unwrap_or_default()),
            source_ip,
            span: None,
        };
        Ok(Self {
            call,
            user_agent: http.user_agent,
            raw_query: payload.raw_query_string,
        })
    }
}

/// Parameters of a query, decoded as `application/x-www-form-urlencoded`.
fn query(raw: &str) -> Fields {
    let mut query = Fields::default();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = name.replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy();
        let value = value.replace('+', " ");
        let value = percent_decode_str(&value).decode_utf8();
        // The gateway replaces bytes that are not UTF-8 by this character, which no parameter may
        // contain.
        let value = value
            .ok()
            .filter(|value| !value.contains(char::REPLACEMENT_CHARACTER));
        let value = value.map(Cow::into_owned).ok_or(FieldError::NotUtf8);
        query.add(name.into_owned(), value);
    }
    query
}

/// A response to the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpResponse {
    /// HTTP status.
    #[serde(rename = "statusCode")]
    pub status: u16,
    /// Headers. Names are in lower case and occur once.
    #[serde(serialize_with = "as_object")]
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    /// The body, as text.
    pub body: String,
    /// Always `false`.
    pub is_base64_encoded: bool,
}

impl HttpResponse {
    /// The value of a header; `name` is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }
}

fn as_object<S: Serializer>(
    headers: &[(&'static str, Cow<'static, str>)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.iter().map(|(name, value)| (name, value)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn event() -> Value {
        json!({
            "version": "2.0", "routeKey": "POST /programs/{id}/orders", "rawPath": "/programs/1/orders",
            "rawQueryString": "wait=5", "cookies": ["a=b"],
            "headers": {"host": "app.example", "X-Mixed": "1", "x-latin": "\u{e4}", "x-tab": "a\tb"},
            "queryStringParameters": {"wait": "5"},
            "requestContext": {
                "accountId": "000000000000", "apiId": "api", "domainName": "app.example",
                "authorizer": {"jwt": {"claims": {"sub": "alice", "scope": "a b"}, "scopes": null}},
                "http": {"method": "POST", "path": "/programs/1/orders", "protocol": "HTTP/1.1",
                         "sourceIp": "192.0.2.7", "userAgent": "t/1"},
                "requestId": "r", "stage": "$default", "timeEpoch": 1_795_370_400_000_i64,
            },
            "body": "{\"count\":1}", "isBase64Encoded": false,
        })
    }

    fn read(event: &Value) -> serde_json::Result<HttpEvent> {
        serde_json::from_str(&event.to_string())
    }

    #[test]
    fn an_event_of_the_gateway_is_read() {
        let HttpEvent {
            call,
            user_agent,
            raw_query,
        } = read(&event()).expect("valid");
        assert_eq!(
            (call.method.as_str(), call.path.as_str()),
            ("POST", "/programs/1/orders")
        );
        assert_eq!(call.query.get("wait"), Ok(Some("5")));
        assert_eq!(raw_query, "wait=5");
        assert_eq!(call.body, br#"{"count":1}"#);
        assert_eq!(call.claims.user().expect("a user").as_str(), "alice");
        assert!(call.claims.has_scope("b"));
        assert_eq!(call.source_ip, Some([192, 0, 2, 7].into()));
        assert_eq!(user_agent.as_deref(), Some("t/1"));
        assert_eq!(call.headers.get("x-mixed"), Ok(Some("1")));
        assert_eq!(call.headers.get("x-tab"), Ok(Some("a\tb")));
        assert_eq!(call.headers.get("x-latin"), Err(FieldError::NotAscii));
        assert_eq!(call.headers.get("x-absent"), Ok(None));
    }

    #[test]
    fn a_body_may_be_base64_null_or_absent() {
        let mut encoded = event();
        encoded["body"] = "aGk=".into();
        encoded["isBase64Encoded"] = true.into();
        assert_eq!(read(&encoded).expect("valid").call.body, b"hi");
        encoded["body"] = "?".into();
        assert!(read(&encoded).is_err());
        let mut empty = event();
        empty["body"] = Value::Null;
        assert!(read(&empty).expect("valid").call.body.is_empty());
        empty.as_object_mut().expect("an object").remove("body");
        assert!(read(&empty).expect("valid").call.body.is_empty());
    }

    #[test]
    fn only_claims_of_a_jwt_authorizer_count() {
        for authorizer in [
            Value::Null,
            json!({}),
            json!({"lambda": {"sub": "mallory"}}),
            json!({"jwt": null}),
            json!({"jwt": {"claims": null}}),
        ] {
            let mut event = event();
            event["requestContext"]["authorizer"] = authorizer;
            let call = read(&event).expect("valid").call;
            assert_eq!(call.claims, Claims::default());
        }
    }

    #[test]
    fn an_event_of_another_kind_is_refused() {
        for member in ["rawPath", "rawQueryString", "requestContext"] {
            let mut event = event();
            event.as_object_mut().expect("an object").remove(member);
            let error = read(&event).expect_err(member).to_string();
            assert!(error.contains(member), "{error}");
        }
        let mut event = event();
        event["requestContext"] = json!({"httpMethod": "GET"});
        assert!(read(&event).is_err(), "payload format 1.0");
    }

    #[test]
    fn a_query_is_decoded_as_a_form() {
        let query = query("a=b+c%20d&&b=%E4&c=%EF%BF%BD&d&e=&f=1=2&g=1&g=2&a%2Fb=%c3%a4");
        for (name, value) in [
            ("a", Ok(Some("b c d"))),
            ("b", Err(FieldError::NotUtf8)),
            ("c", Err(FieldError::NotUtf8)),
            ("d", Ok(Some(""))),
            ("e", Ok(Some(""))),
            ("f", Ok(Some("1=2"))),
            ("g", Err(FieldError::Repeated)),
            ("a/b", Ok(Some("\u{e4}"))),
            ("h", Ok(None)),
        ] {
            assert_eq!(query.get(name), value, "{name}");
        }
    }

    #[test]
    fn a_response_is_written_as_payload_format_2() {
        let response = HttpResponse {
            status: 202,
            headers: vec![("content-type", "application/json".into())],
            body: "{\"a\":1}".to_owned(),
            is_base64_encoded: false,
        };
        assert_eq!(
            serde_json::to_value(&response).expect("JSON"),
            json!({
                "statusCode": 202, "headers": {"content-type": "application/json"},
                "body": "{\"a\":1}", "isBase64Encoded": false,
            })
        );
        assert_eq!(response.header("content-type"), Some("application/json"));
        assert_eq!(response.header("location"), None);
    }
}
