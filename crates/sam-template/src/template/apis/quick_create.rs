//! `AWS::ApiGatewayV2::Api` with a `Target`: an HTTP API with one route, in one resource.

use std::time::Duration;

use super::super::functions;
use super::super::resources::Resource;
use super::super::scope::Scope;
use super::{cors, route};
use crate::document::{Problems, Reader};
use crate::model::{Api, Application, Route};

const READ: [&str; 5] = [
    "Target",
    "RouteKey",
    "ProtocolType",
    "CorsConfiguration",
    "CredentialsArn",
];

/// Reads every such API. Without a Target its routes are other resources, which are not read.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    for resource in resources
        .iter()
        .filter(|r| r.kind == "AWS::ApiGatewayV2::Api")
    {
        if resource.properties.get("Target").is_none() {
            let message = format!(
                "{} (AWS::ApiGatewayV2::Api) is left out: its routes are resources of their own, \
                 which are not read. Write AWS::Serverless::HttpApi, or give it a Target.",
                resource.id
            );
            problems.warn(resource.line, message);
            continue;
        }
        let Some(properties) = resource.resolved(&READ, scope, problems) else {
            continue;
        };
        let reader = Reader::new(&properties, format!("API {}", resource.id));
        let Some(target) = reader.text("Target", problems) else {
            continue;
        };
        let Some(function) = functions::by_name(target, resources, scope) else {
            let message = format!(
                "{}: the Target {target} is no function of this template; the API is left out. \
                 `!GetAtt Function.Arn` names one.",
                reader.what
            );
            problems.warn(reader.line("Target"), message);
            continue;
        };
        let mut api = Api {
            id: resource.id.clone(),
            stage: "$default".into(),
            ..Api::default()
        };
        api.cors = cors::read(&reader, "CorsConfiguration", problems);
        let key = reader.text("RouteKey", problems).unwrap_or("$default");
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        let before = problems.failures();
        if let Err(wrong) = route::validate_path(path) {
            problems.error(
                reader.line("RouteKey"),
                format!("{}: the path {path} {wrong}", reader.what),
            );
        }
        if problems.failures() == before {
            api.routes.push(Route {
                method: method.to_ascii_uppercase(),
                path: path.to_owned(),
                function,
                authorizer: None,
                scopes: Vec::new(),
                timeout: Duration::from_secs(30),
            });
            application.apis.push(api);
        }
    }
}
