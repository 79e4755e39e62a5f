//! `FunctionUrlConfig`: a function with an HTTP address of its own.

use std::time::Duration;

use super::super::resources::{Resource, resolved};
use super::super::scope::Scope;
use super::cors;
use crate::document::{Problems, Reader};
use crate::model::{Api, ApiKind, Application, Route};

const KNOWN: [&str; 3] = ["AuthType", "Cors", "InvokeMode"];

/// Longest timeout of a function, for which its URL waits.
const MAX_TIMEOUT: Duration = Duration::from_mins(15);

/// Reads the URL of every function that has one.
pub(in super::super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    for resource in resources
        .iter()
        .filter(|r| r.kind == "AWS::Serverless::Function")
    {
        if application.skipped.contains_key(&resource.id) {
            continue;
        }
        if let Some(api) = one(resource, scope, problems) {
            application.apis.push(api);
        }
    }
}

fn one(resource: &Resource, scope: &Scope<'_>, problems: &mut Problems) -> Option<Api> {
    let section = resource.properties.get("FunctionUrlConfig")?;
    let what = format!("the URL of {}", resource.id);
    let before = problems.failures();
    Reader::new(section, what.clone()).only(&KNOWN, problems);
    let properties = resolved(section, &KNOWN, scope, problems)?;
    let reader = Reader::new(&properties, what);
    match reader.required("AuthType", "Write `AuthType: NONE`.", problems) {
        Some("AWS_IAM") => problems.error(
            reader.line("AuthType"),
            format!(
                "{}: AWS_IAM signatures cannot be checked here, and without them the URL would be \
                 unprotected. Write `AuthType: NONE`, for this machine with a parameter.",
                reader.what
            ),
        ),
        Some("NONE") | None => {}
        Some(other) => {
            problems.error(
                reader.line("AuthType"),
                format!("{}: AuthType is NONE or AWS_IAM, not {other}.", reader.what),
            );
        }
    }
    let streams = match reader.text("InvokeMode", problems) {
        None | Some("BUFFERED") => false,
        Some("RESPONSE_STREAM") => true,
        Some(other) => {
            let message = format!(
                "{}: InvokeMode is BUFFERED or RESPONSE_STREAM, not {other}.",
                reader.what
            );
            problems.error(reader.line("InvokeMode"), message);
            false
        }
    };
    let cors = cors::read(&reader, "Cors", problems);
    if problems.failures() != before {
        return None;
    }
    if streams {
        let message = format!(
            "{} is left out: answers are not streamed by this host, and a function that streams \
             answers in a form of its own. Write `InvokeMode: BUFFERED` to have it served.",
            reader.what
        );
        problems.warn(reader.line("InvokeMode"), message);
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
        stage: "$default".into(),
        cors,
        ..Api::default()
    })
}
