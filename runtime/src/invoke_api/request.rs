//! What is asked: read from the head of a request.

use http::{HeaderMap, HeaderValue, Method};

use super::answer::Error;
use super::client_context;
use crate::http::decode;

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Invoke {
        function: String,
        qualifier: Option<String>,
        kind: Kind,
        tail: bool,
        /// A JSON object, in ASCII.
        client_context: Option<String>,
    },
    List,
}

/// `X-Amz-Invocation-Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `RequestResponse`
    Synchronous,
    /// `Event`
    Asynchronous,
    /// `DryRun`
    Dry,
}

/// Reads method, path, query and headers.
///
/// # Errors
/// What the service would answer.
pub(super) fn read(
    method: &Method,
    path: &str,
    query: &str,
    headers: &HeaderMap,
) -> Result<Wanted, Error> {
    let rest = path
        .strip_prefix("/2015-03-31/functions")
        .ok_or(Error::NoSuchOperation)?;
    if matches!(rest, "" | "/") && method == Method::GET {
        return Ok(Wanted::List);
    }
    let function = rest
        .strip_prefix('/')
        .and_then(|rest| rest.strip_suffix("/invocations"))
        .ok_or(Error::NoSuchOperation)?;
    if method != Method::POST || function.contains('/') {
        return Err(Error::NoSuchOperation);
    }
    let header = |name| {
        Ok::<_, Error>(single(headers, name)?.map(|value| value.to_str().unwrap_or("unreadable")))
    };
    let kind = match header("x-amz-invocation-type")? {
        None | Some("RequestResponse") => Kind::Synchronous,
        Some("Event") => Kind::Asynchronous,
        Some("DryRun") => Kind::Dry,
        Some(other) => {
            return Err(Error::InvalidParameter(format!(
                "X-Amz-Invocation-Type is RequestResponse, Event or DryRun, not {other}"
            )));
        }
    };
    let tail = match header("x-amz-log-type")? {
        None | Some("None") => false,
        Some("Tail") => true,
        Some(other) => {
            return Err(Error::InvalidParameter(format!(
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
    Ok(Wanted::Invoke {
        function: decode::percent(function),
        qualifier,
        kind,
        tail,
        client_context,
    })
}

/// A header that is given once, or not at all: of two values neither is the one that was meant.
fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h HeaderValue>, Error> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    match values.next() {
        Some(_) => Err(Error::InvalidParameter(format!(
            "{name} is given more than once"
        ))),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn wanted(
        method: &Method,
        path: &str,
        query: &str,
        headers: &[(&'static str, &'static str)],
    ) -> Result<Wanted, Error> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        read(method, path, query, &headers.collect())
    }

    #[test]
    fn an_invocation_is_read_with_its_type_its_log_and_its_qualifier() {
        let headers = [
            ("x-amz-invocation-type", "Event"),
            ("x-amz-log-type", "Tail"),
        ];
        let read = wanted(
            &Method::POST,
            "/2015-03-31/functions/a%3Afunction%3Ab/invocations",
            "Qualifier=%24LATEST",
            &headers,
        );
        let invoke = Wanted::Invoke {
            function: "a:function:b".into(),
            qualifier: Some("$LATEST".into()),
            kind: Kind::Asynchronous,
            tail: true,
            client_context: None,
        };
        assert_eq!(read, Ok(invoke));
        assert_eq!(
            wanted(&Method::GET, "/2015-03-31/functions/", "", &[]),
            Ok(Wanted::List)
        );
    }

    #[test]
    fn a_header_given_twice_is_refused() {
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
                matches!(&twice, Err(Error::InvalidParameter(why)) if why.contains(name)),
                "{twice:?}"
            );
        }
    }

    #[test]
    fn what_is_not_served_or_makes_no_sense_is_said_so() {
        for path in [
            "/",
            "/2015-03-31/functions/f",
            "/2015-03-31/functions/a/b/invocations",
            "/2014-11-13/functions/f/invoke-async/",
        ] {
            assert_eq!(
                wanted(&Method::POST, path, "", &[]),
                Err(Error::NoSuchOperation),
                "{path}"
            );
        }
        for header in [
            ("x-amz-invocation-type", "Sometimes"),
            ("x-amz-log-type", "Head"),
        ] {
            let read = wanted(
                &Method::POST,
                "/2015-03-31/functions/f/invocations",
                "",
                &[header],
            );
            assert!(matches!(read, Err(Error::InvalidParameter(_))), "{read:?}");
        }
    }
}
