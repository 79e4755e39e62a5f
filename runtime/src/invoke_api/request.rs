//! Reads the operation from the head of a request.

use http::{HeaderMap, HeaderValue, Method};

use super::answer::ApiError;
use super::client_context;
use crate::http::decode;

/// The operation `Invoke`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InvokeCall {
    pub(super) function: String,
    pub(super) qualifier: Option<String>,
    pub(super) kind: InvocationType,
    pub(super) tail: bool,
    /// A JSON object, in ASCII.
    pub(super) client_context: Option<String>,
}

/// `X-Amz-Invocation-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InvocationType {
    /// `RequestResponse`
    Synchronous,
    /// `Event`
    Asynchronous,
    /// `DryRun`
    Dry,
}

/// Reads method, path, query and headers. `None`: the operation `ListFunctions`.
///
/// # Errors
/// The service's error.
pub(super) fn read(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Option<InvokeCall>, ApiError> {
    let rest = path
        .strip_prefix("/2015-03-31/functions")
        .ok_or(ApiError::NoSuchOperation)?;
    if matches!(rest, "" | "/") && method == Method::GET {
        return Ok(None);
    }
    let function = rest
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .ok_or(ApiError::NoSuchOperation)?;
    if method != Method::POST || function.contains('/') {
        return Err(ApiError::NoSuchOperation);
    }
    let header = |name| {
        Ok::<_, ApiError>(
            single(headers, name)?.map(|value| value.to_str().unwrap_or("unreadable")),
        )
    };
    let kind = match header("x-amz-invocation-type")? {
        None | Some("RequestResponse") => InvocationType::Synchronous,
        Some("Event") => InvocationType::Asynchronous,
        Some("DryRun") => InvocationType::Dry,
        Some(other) => {
            return Err(ApiError::InvalidParameter(format!(
                "X-Amz-Invocation-Type is RequestResponse, Event or DryRun, not {other}"
            )));
        }
    };
    let tail = match header("x-amz-log-type")? {
        None | Some("None") => false,
        Some("Tail") => true,
        Some(other) => {
            return Err(ApiError::InvalidParameter(format!(
                "X-Amz-Log-Type is None or Tail, not {other}"
            )));
        }
    };
    let qualifier = decode::query(query)
        .into_iter()
        .find(|(name, _)| name == "Qualifier")
        .map(|(_, value)| value);
    let client_context = single(headers, "x-amz-client-context")?;
    let client_context = client_context
        .map(|value| client_context::read(value.as_bytes()))
        .transpose()?;
    Ok(Some(InvokeCall {
        function: decode::percent(function),
        qualifier,
        kind,
        tail,
        client_context,
    }))
}

/// A header that occurs at most once: with two values it is ambiguous.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h HeaderValue>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(ApiError::InvalidParameter(format!(
            "{name} is given more than once"
        ))),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn operation(
        method: &Method,
        path: &str,
        query: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Option<InvokeCall>, ApiError> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        read(method, path, query, &headers.collect())
    }

    #[test]
    fn an_invocation_is_read_with_its_options() {
        let headers = [
            ("x-amz-invocation-type", "Event"),
            ("x-amz-log-type", "Tail"),
        ];
        let read = operation(
            &Method::POST,
            "/2015-03-31/functions/a%3Afunction%3Ab/invocations",
            "Qualifier=%24LATEST",
            &headers,
        );
        let invoke = InvokeCall {
            function: "a:function:b".into(),
            qualifier: Some("$LATEST".into()),
            kind: InvocationType::Asynchronous,
            tail: true,
            client_context: None,
        };
        assert_eq!(read, Ok(Some(invoke)));
        assert_eq!(
            operation(&Method::GET, "/2015-03-31/functions/", "", &[]),
            Ok(None)
        );
    }

    #[test]
    fn a_repeated_header_is_refused() {
        for (name, value) in [
            ("x-amz-client-context", "e30="),
            ("x-amz-invocation-type", "Event"),
            ("x-amz-log-type", "Tail"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(name, HeaderValue::from_static(value));
            assert!(
                read(
                    &Method::POST,
                    "/2015-03-31/functions/f/invocations",
                    "",
                    &headers
                )
                .is_ok(),
                "{name}"
            );
            headers.append(name, HeaderValue::from_static(value));
            let twice = read(
                &Method::POST,
                "/2015-03-31/functions/f/invocations",
                "",
                &headers,
            );
            assert!(
                matches!(&twice, Err(ApiError::InvalidParameter(why)) if why.contains(name)),
                "{twice:?}"
            );
        }
    }

    #[test]
    fn unknown_operations_and_values_are_refused() {
        for path in [
            "/",
            "/2015-03-31/functions/f",
            "/2015-03-31/functions/a/b/invocations",
            "/2014-11-13/functions/f/invoke-async/",
        ] {
            assert_eq!(
                operation(&Method::POST, path, "", &[]),
                Err(ApiError::NoSuchOperation),
                "{path}"
            );
        }
        for header in [
            ("x-amz-invocation-type", "Sometimes"),
            ("x-amz-log-type", "Head"),
        ] {
            let read = operation(
                &Method::POST,
                "/2015-03-31/functions/f/invocations",
                "",
                &[header],
            );
            assert!(
                matches!(read, Err(ApiError::InvalidParameter(_))),
                "{read:?}"
            );
        }
    }
}
