//! APIs and their routes to functions.
//!
//! First the APIs are read ([`http_api`], [`rest_api`], [`quick_create`] for an API in one
//! resource), then the events that add routes ([`route`], [`jwt`], [`cors`]), then the functions
//! with a URL ([`function_url`]).
//!
//! Invariant: protection that cannot be checked here (IAM, Lambda and Cognito authorizers, API
//! keys, resource policies) is an error with its line. No route is open here that is protected on
//! AWS.

mod cors;
mod function_url;
pub(super) mod http_api;
mod jwt;
mod quick_create;
pub(super) mod rest_api;
mod route;
mod throttling;

pub(super) use function_url::read as read_function_urls;
pub(super) use http_api::read_event as read_http_event;
pub(super) use rest_api::read_event as read_rest_event;
pub(super) use throttling::check as check_throttling;

use super::resources::Resource;
use super::scope::Scope;
use crate::document::Reader;
use crate::model::{Api, Application};
use route::Owner;

/// Reads the APIs. The functions' events add most routes.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    read_kind(&http_api::OWNER, http_api::settings, scope, application);
    read_kind(&rest_api::OWNER, rest_api::settings, scope, application);
    quick_create::read(scope, application);
}

/// Reads the APIs of one of SAM's types.
fn read_kind(
    owner: &Owner,
    settings: fn(&Reader<'_>, &mut Api),
    scope: &Scope<'_>,
    application: &mut Application,
) {
    for resource in scope.of_kind(owner.resource) {
        resource.check_names(owner.read, scope);
        let mut api = (owner.empty)();
        api.id.clone_from(&resource.id);
        if !route::routes_only_skipped(owner, &resource.id, scope, application)
            && let Some(properties) = resource.resolved(owner.read, scope)
        {
            warn_of_definitions(resource, owner.event, scope);
            let reader = Reader::new(&properties, resource.what(), scope.problems);
            settings(&reader, &mut api);
        }
        application.apis.push(api);
    }
}

/// Definitions are not read, so they are not evaluated.
fn warn_of_definitions(resource: &Resource, event: &str, scope: &Scope<'_>) {
    for key in ["DefinitionBody", "DefinitionUri"] {
        if resource.has(key, scope) {
            let message =
                format!("{key} is not read; only routes written as {event} events are served.");
            resource.written(scope.problems).warn(key, &message);
        }
    }
}
