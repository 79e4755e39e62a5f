//! `Cors` of a REST API: the OPTIONS method that SAM adds to every path, answered by the API
//! itself.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::listener::{Reply, json_reply};
use sam_template::model::PreflightMock;

/// The methods of an ANY, in the order in which SAM lists them.
const ALL: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The response for a path with these methods.
pub(super) fn answer(mock: &PreflightMock, methods: &[&str]) -> Reply {
    let mut reply = json_reply(StatusCode::OK, "{}");
    let headers = reply.headers_mut();
    let allowed = mock.methods.clone().unwrap_or_else(|| of_path(methods));
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        Some(&mock.origin),
    );
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_METHODS,
        Some(&allowed),
    );
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        mock.headers.as_deref(),
    );
    set(
        headers,
        header::ACCESS_CONTROL_MAX_AGE,
        mock.max_age.as_deref(),
    );
    set(
        headers,
        header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
        mock.credentials.then_some("true"),
    );
    reply
}

fn of_path(methods: &[&str]) -> String {
    if methods.contains(&"ANY") {
        return ALL.join(",");
    }
    ALL.iter()
        .filter(|method| **method == "OPTIONS" || methods.contains(method))
        .copied()
        .collect::<Vec<_>>()
        .join(",")
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_methods_are_allowed_by_default() {
        let mut mock = PreflightMock {
            origin: "*".into(),
            headers: Some("X-A".into()),
            ..PreflightMock::default()
        };
        let allowed = |mock: &PreflightMock, methods: &[&str]| {
            answer(mock, methods).headers()[header::ACCESS_CONTROL_ALLOW_METHODS]
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(allowed(&mock, &["POST", "GET"]), "GET,OPTIONS,POST");
        assert_eq!(
            allowed(&mock, &["ANY"]),
            "DELETE,GET,HEAD,OPTIONS,PATCH,POST,PUT"
        );
        mock.methods = Some("GET".into());
        assert_eq!(allowed(&mock, &["ANY"]), "GET");
        let reply = answer(&mock, &["GET"]);
        assert_eq!(
            (
                reply.status(),
                &reply.headers()["access-control-allow-headers"]
            ),
            (StatusCode::OK, &HeaderValue::from_static("X-A"))
        );
        assert!(!reply.headers().contains_key("access-control-max-age"));
    }
}
