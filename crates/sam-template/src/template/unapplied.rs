//! Warns of properties that would change what a client or a function receives and are not applied
//! here. Other properties that are left out are labels, permissions and features of the cloud.

use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Node, Problems};

/// Type of the resource, property, and what happens without it.
const UNAPPLIED: [(&str, &str, &str); 6] = [
    (
        "AWS::Serverless::Api",
        "CacheClusterEnabled",
        "answers are not cached; the function receives every request",
    ),
    (
        "AWS::Serverless::Api",
        "GatewayResponses",
        "responses of the API itself keep the service's default bodies",
    ),
    (
        "AWS::Serverless::Api",
        "MinimumCompressionSize",
        "answers are not compressed",
    ),
    (
        "AWS::Serverless::Api",
        "Policy",
        "the policy is not checked; every client of this machine is allowed",
    ),
    (
        "AWS::Serverless::Function",
        "DurableConfig",
        "executions are not durable; an invocation that ends early begins again",
    ),
    (
        "AWS::Serverless::Function",
        "TenancyConfig",
        "tenants are not kept apart; they share the function's processes",
    ),
];

/// Warns of each with its line.
pub(super) fn check(resources: &[Resource], scope: &Scope<'_>, problems: &mut Problems) {
    for resource in resources {
        for (_, property, without) in UNAPPLIED
            .iter()
            .filter(|(kind, _, _)| *kind == resource.kind)
        {
            let Some(entry) = resource
                .properties
                .entries()
                .iter()
                .find(|entry| entry.key == *property)
            else {
                continue;
            };
            // A value that is switched off, or removed by a condition, changes nothing.
            let mut unread = Problems::new("");
            let value = resource.resolved(&[property], scope, &mut unread);
            let is_on = value
                .as_ref()
                .is_none_or(|value| value.get(property).is_some_and(|value| !is_off(value)));
            if is_on {
                problems.warn(
                    entry.line,
                    format!("{}: {property} is not applied: {without}.", resource.id),
                );
            }
        }
    }
}

fn is_off(value: &Node) -> bool {
    value
        .text()
        .is_some_and(|text| text.eq_ignore_ascii_case("false"))
}
