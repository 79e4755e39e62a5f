//! Payload format 1.0, as REST APIs send it. An absent value is `null`, never omitted.

use std::collections::BTreeMap;

use http::header::USER_AGENT;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::decode;
use super::{EventParts, base64, forwarded, present};

type Texts = BTreeMap<String, String>;
type Lists = BTreeMap<String, Vec<String>>;

/// Typed, because a [`Value`] copies the body and the headers once more.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'r> {
    resource: &'r str,
    path: &'r str,
    http_method: &'r str,
    headers: Texts,
    multi_value_headers: Lists,
    query_string_parameters: Option<&'r Texts>,
    multi_value_query_string_parameters: Option<&'r Lists>,
    path_parameters: Option<&'r Texts>,
    stage_variables: Option<&'r Texts>,
    request_context: Value,
    body: Option<String>,
    is_base64_encoded: bool,
}

/// The event as JSON. `is_binary`: the body's content type is one of the API's binary media types.
pub(super) fn build(parts: &EventParts<'_>, is_binary: bool) -> serde_json::Result<Vec<u8>> {
    let pairs = forwarded(parts);
    let headers = lists(pairs.map(|(name, value)| (capitalised(name), value.into_owned())));
    let query = lists(decode::query(parts.query()));
    let body = (!parts.body.is_empty()).then(|| {
        if is_binary {
            base64(parts.body)
        } else {
            String::from_utf8_lossy(parts.body).into_owned()
        }
    });
    serde_json::to_vec(&Event {
        resource: &parts.found.route.path,
        path: parts.path,
        http_method: parts.head.method.as_str(),
        headers: last(&headers),
        multi_value_headers: headers,
        query_string_parameters: present(&last(&query)),
        multi_value_query_string_parameters: present(&query),
        path_parameters: present(&parts.found.parameters),
        stage_variables: present(&parts.api.variables),
        request_context: context(parts),
        is_base64_encoded: is_binary && body.is_some(),
        body,
    })
}

fn context(parts: &EventParts<'_>) -> Value {
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

/// The values of each name, in the order received.
fn lists(pairs: impl IntoIterator<Item = (String, String)>) -> Lists {
    let mut out = Lists::new();
    for (name, value) in pairs {
        out.entry(name).or_default().push(value);
    }
    out
}

/// The last value of each name, as the service has it.
fn last(lists: &Lists) -> Texts {
    lists
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}
