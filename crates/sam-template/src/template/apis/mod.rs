//! Everything that is asked over HTTP, and the routes to functions.
//!
//! First the APIs ([`http_api`], [`rest_api`], and [`quick_create`] for an API that is all one resource), then the events
//! that give them routes ([`route`], with [`jwt`] for who may use one and [`cors`]), and [`function_url`] for functions that
//! are asked directly.
//!
//! Promises: whatever guards a route in the cloud and cannot be checked here (IAM, Lambda and Cognito authorizers, API
//! keys, resource policies) is refused with its line; no route stands open that does not in the cloud.

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

/// Reads the APIs; routes of most come with the functions' events.
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
