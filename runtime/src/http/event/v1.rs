//! Payload format 1.0, as REST APIs send it. An absent value is `null`, never omitted.

use std::collections::BTreeMap;

use http::header::USER_AGENT;
use serde_json::{Value, json};

use super::super::decode;
use super::{EventSource, Lists, base64, forwarded, lists, present};

/// The event. `is_binary`: the body's content type is one of the API's binary media types.
pub(super) fn build(parts: &EventSource<'_>, is_binary: bool) -> Value {
    let pairs = forwarded(parts).into_iter();
    let headers = lists(pairs.map(|(name, value)| (capitalised(&name), value)));
    let query = lists(decode::query(parts.query()));
    let body = (!parts.body.is_empty()).then(|| {
        if is_binary {
            base64(parts.body)
        } else {
            String::from_utf8_lossy(parts.body).into_owned()
        }
    });
    json!({
        "resource": parts.found.route.path,
        "path": parts.path,
        "httpMethod": parts.head.method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": present(&last(&query)),
        "multiValueQueryStringParameters": present(&query),
        "pathParameters": present(&parts.found.parameters),
        "stageVariables": present(&parts.api.variables),
        "requestContext": context(parts),
        "isBase64Encoded": is_binary && body.is_some(),
        "body": body,
    })
}

fn context(parts: &EventSource<'_>) -> Value {
    let api = parts.api;
    let domain = parts.domain();
    json!({
        "accountId": api.location.account,
        "apiId": api.id,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "extendedRequestId": parts.request_id,
        "httpMethod": parts.head.method.as_str(),
        "identity": {
            "accessKey": null,
            "accountId": null,
            "caller": null,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": parts.source_ip(),
            "user": null,
            "userAgent": parts.header(USER_AGENT),
            "userArn": null,
        },
        // the path in the cloud, which has the stage
        "path": format!("/{}{}", api.stage, parts.path),
        "protocol": parts.protocol(),
        "requestId": parts.request_id,
        "requestTime": parts.time(),
        "requestTimeEpoch": parts.now.as_millisecond(),
        "resourceId": resource_id(&parts.found.route.path),
        "resourcePath": parts.found.route.path,
        "stage": api.stage,
    })
}

/// Six characters as on the service, the same for every request to a path.
fn resource_id(path: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(&Sha256::digest(path)[..3])
}

/// `content-type` becomes `Content-Type`. The service keeps what the client wrote, which is mostly
/// that; this host's HTTP parser drops the case, and functions expect the usual one.
fn capitalised(name: &str) -> String {
    let word = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + chars.as_str()
        })
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// The last value of each name, as the service has it.
fn last(lists: &Lists) -> BTreeMap<String, String> {
    lists
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}
