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
use crate::document::Problems;
use crate::model::Application;

/// Reads the APIs. The functions' events add most routes.
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    http_api::read(resources, scope, application, problems);
    rest_api::read(resources, scope, application, problems);
    quick_create::read(resources, scope, application, problems);
}
