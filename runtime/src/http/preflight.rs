//! `Cors` of a REST API: the OPTIONS method that SAM adds to every path, answered by the API
//! itself.

use http::StatusCode;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
};

use crate::listener::{Reply, json_reply, set_header};
use sam_template::model::PreflightMock;

/// The methods of an ANY, in the order in which SAM lists them.
const ALL: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// The response for a path with these methods.
pub(super) fn answer(mock: &PreflightMock, methods: &[&str]) -> Reply {
    let mut reply = json_reply(StatusCode::OK, "{}");
    let allowed = mock.methods.clone().unwrap_or_else(|| of_path(methods));
    let credentials = mock.credentials.then_some("true");
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, Some(mock.origin.as_str())),
        (ACCESS_CONTROL_ALLOW_METHODS, Some(&allowed)),
        (ACCESS_CONTROL_ALLOW_HEADERS, mock.headers.as_deref()),
        (ACCESS_CONTROL_MAX_AGE, mock.max_age.as_deref()),
        (ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials),
    ] {
        if let Some(value) = value {
            set_header(&mut reply, name, value);
        }
    }
    reply
}

fn of_path(methods: &[&str]) -> String {
    let any = methods.contains(&"ANY");
    ALL.into_iter()
        .filter(|method| any || *method == "OPTIONS" || methods.contains(method))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_paths_methods_are_allowed_by_default() {
        let mut mock = PreflightMock {
            origin: "*".into(),
            headers: Some("X-A".into()),
            ..PreflightMock::default()
        };
        let allowed = |mock: &PreflightMock, methods: &[&str]| {
            answer(mock, methods).headers()[ACCESS_CONTROL_ALLOW_METHODS]
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
