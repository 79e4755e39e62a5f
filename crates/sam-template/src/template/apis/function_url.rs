//! `FunctionUrlConfig`: a function with an HTTP address of its own.

use std::time::Duration;

use super::super::functions;
use super::super::resources::{Resource, resolved};
use super::super::scope::Scope;
use super::{cors, http_api};
use crate::document::Reader;
use crate::model::{Api, ApiKind, Application, Route};

const KNOWN: &str = "AuthType Cors InvokeMode";

/// Longest timeout of a function, for which its URL waits.
const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// Reads the URL of every function that has one.
pub(in super::super) fn read(scope: &Scope<'_>, application: &mut Application) {
    for resource in scope.of_kind(functions::KIND) {
        if !application.skipped.contains_key(&resource.id) {
            application.apis.extend(one(resource, scope));
        }
    }
}

fn one(resource: &Resource, scope: &Scope<'_>) -> Option<Api> {
    let section = resource.properties.get("FunctionUrlConfig")?;
    let what = format!("the URL of {}", resource.id);
    let before = scope.problems.failures();
    Reader::new(section, what.clone(), scope.problems).only(KNOWN);
    let properties = resolved(section, KNOWN, scope)?;
    let reader = Reader::new(&properties, what, scope.problems);
    reader.required("AuthType", "Write `AuthType: NONE`.");
    if reader.choice("AuthType", &["NONE", "AWS_IAM"]) == Some("AWS_IAM") {
        let message = "AWS_IAM signatures cannot be checked here, and without them the URL would \
            be unprotected. Write `AuthType: NONE`, for this machine with a parameter.";
        reader.error("AuthType", message);
    }
    let mode = reader.choice("InvokeMode", &["BUFFERED", "RESPONSE_STREAM"]);
    let cors = cors::read(&reader, "Cors");
    if scope.problems.failures() != before {
        return None;
    }
    if mode == Some("RESPONSE_STREAM") {
        let message = format!(
            "{} is left out: answers are not streamed by this host, and a function that streams \
             answers in a form of its own. Write `InvokeMode: BUFFERED` to have it served.",
            reader.what
        );
        scope.problems.warn(reader.line("InvokeMode"), message);
        return None;
    }
    let route = Route {
        method: "ANY".into(),
        path: "$default".into(),
        function: resource.id.clone(),
        authorizer: None,
        scopes: Vec::new(),
        timeout: MAX_TIMEOUT,
    };
    Some(Api {
        id: format!("{}Url", resource.id),
        kind: ApiKind::FunctionUrl,
        routes: vec![route],
        cors,
        ..http_api::empty()
    })
}
