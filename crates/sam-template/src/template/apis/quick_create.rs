//! `AWS::ApiGatewayV2::Api` with a `Target`: an HTTP API with one route, in one resource.

use std::time::Duration;

use super::super::functions;
use super::super::resources::Resource;
use super::super::scope::Scope;
use super::{cors, http_api, route};
use crate::document::Reader;
use crate::model::{Api, Application, Route};

const READ: &str = "Target RouteKey ProtocolType CorsConfiguration CredentialsArn";

/// Reads every such API. Without a Target its routes are other resources, which are not read.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    for resource in scope.of_kind("AWS::ApiGatewayV2::Api") {
        if resource.properties.get("Target").is_some() {
            application.apis.extend(one(resource, scope));
        } else {
            let message = format!(
                "{} (AWS::ApiGatewayV2::Api) is left out: its routes are resources of their own, \
                 which are not read. Write AWS::Serverless::HttpApi, or give it a Target.",
                resource.id
            );
            scope.problems.warn(resource.line, message);
        }
    }
}

fn one(resource: &Resource, scope: &Scope<'_>) -> Option<Api> {
    let properties = resource.resolved(READ, scope)?;
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let target = reader.text("Target")?;
    let Some(function) = functions::by_name(target, scope) else {
        let message = format!(
            "the Target {target} is no function of this template; the API is left out. `!GetAtt \
             Function.Arn` names one."
        );
        reader.warn("Target", &message);
        return None;
    };
    let cors = cors::read(&reader, "CorsConfiguration");
    let key = reader.text("RouteKey").unwrap_or("$default");
    let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
    let route = Route {
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        function,
        authorizer: None,
        scopes: Vec::new(),
        timeout: Duration::from_secs(30),
    };
    route::check_path(path, "RouteKey", &reader).then(|| Api {
        id: resource.id.clone(),
        routes: vec![route],
        cors,
        ..http_api::empty()
    })
}
