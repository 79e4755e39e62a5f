//! `ThrottlingRateLimit` and `ThrottlingBurstLimit`, in `DefaultRouteSettings` and `RouteSettings`
//! of an HTTP API, `RouteSettings` of an `HttpApi` event, and `MethodSettings` of a REST API.

use super::super::scope::Scope;
use crate::document::{Node, Reader};
use crate::model::{Api, Application, Route, Throttle};

/// Default quotas of an account, which apply if only one of the two limits is written.
const DEFAULT_QUOTAS: Throttle = Throttle {
    rate_milli: 10_000_000,
    burst: 5_000,
};

/// Upper bound of both limits.
const MAX_LIMIT: u32 = 1_000_000;

/// Other route settings of an HTTP API: metrics and logs of the service.
const ROUTE: &str = "DataTraceEnabled DetailedMetricsEnabled LoggingLevel ThrottlingBurstLimit \
    ThrottlingRateLimit";

/// Settings of a method of a REST API.
const METHOD: &str = "CacheDataEncrypted CacheTtlInSeconds CachingEnabled DataTraceEnabled \
    HttpMethod LoggingLevel MetricsEnabled ResourcePath ThrottlingBurstLimit ThrottlingRateLimit";

/// Reads the limits of an HTTP API.
pub(super) fn http_api(reader: &Reader<'_>, api: &mut Api) {
    if let Some(default) = reader.child("DefaultRouteSettings") {
        api.throttling.default = route(&default);
    }
    let Some(routes) = reader.child("RouteSettings") else {
        return;
    };
    for entry in routes.node.entries() {
        if let Some(settings) = routes.child(&entry.key)
            && let Some(limit) = route(&settings)
        {
            api.throttling.routes.insert(entry.key.clone(), limit);
        }
    }
}

/// Reads the settings of one route, or of all.
pub(super) fn route(settings: &Reader<'_>) -> Option<Throttle> {
    settings.only(ROUTE);
    limit(settings)
}

/// Reads the limits of a REST API.
pub(super) fn rest_api(reader: &Reader<'_>, api: &mut Api) {
    for settings in reader.mappings("MethodSettings", "MethodSettings") {
        settings.only(METHOD);
        if settings.flag("CachingEnabled") == Some(true) {
            let message = "answers are not cached here; the function receives every request.";
            settings.warn("CachingEnabled", message);
        }
        let method = settings.text("HttpMethod");
        let path = settings.text("ResourcePath");
        if let Some(limit) = limit(&settings) {
            match key(method, path) {
                None => api.throttling.default = Some(limit),
                Some(key) => {
                    api.throttling.routes.insert(key, limit);
                }
            }
        }
    }
}

/// `GET /orders/{id}` or `* /orders/{id}` of `/~1orders~1{id}`; `None` for all methods of all
/// paths.
fn key(method: Option<&str>, path: Option<&str>) -> Option<String> {
    let method = method.unwrap_or("*").to_ascii_uppercase();
    let path = path.unwrap_or("/*").replace("~1", "/");
    let path = if path.starts_with("//") {
        &path[1..]
    } else {
        &path
    };
    (method != "*" || !matches!(path, "/*" | "*")).then(|| format!("{method} {path}"))
}

fn limit(settings: &Reader<'_>) -> Option<Throttle> {
    let burst = settings.number("ThrottlingBurstLimit", 0..=i64::from(MAX_LIMIT));
    let rate = rate(settings);
    (burst.is_some() || rate.is_some()).then(|| Throttle {
        rate_milli: rate.unwrap_or(DEFAULT_QUOTAS.rate_milli),
        burst: burst.map_or(DEFAULT_QUOTAS.burst, |n| n as u32),
    })
}

/// Thousandths of a request per second.
fn rate(settings: &Reader<'_>) -> Option<u64> {
    let node = settings.get("ThrottlingRateLimit")?;
    let number = node.text().and_then(|text| text.trim().parse::<f64>().ok());
    let number = number.filter(|number| (0.0..=f64::from(MAX_LIMIT)).contains(number));
    if number.is_none() {
        let expected = format!("a number from 0 to {MAX_LIMIT}");
        settings.wrong(node, "ThrottlingRateLimit", &expected);
    }
    number.map(|number| (number * 1_000.0).round() as u64)
}

/// Warns of limits for routes that an API does not have. Runs after the routes are read.
pub(in super::super) fn check(scope: &Scope<'_>, application: &Application) {
    for api in &application.apis {
        let Some(resource) = scope.resource(&api.id) else {
            continue;
        };
        let settings = |key: &str| resource.properties.get(key);
        let routes = settings("RouteSettings")
            .map_or(&[][..], Node::entries)
            .iter();
        let routes = routes.map(|entry| (entry.line, entry.key.clone()));
        let methods = settings("MethodSettings")
            .map_or(&[][..], Node::items)
            .iter();
        let methods = methods.filter_map(|item| {
            let text = |name: &str| item.get(name).and_then(Node::text);
            Some((item.line, key(text("HttpMethod"), text("ResourcePath"))?))
        });
        for (line, key) in routes.chain(methods) {
            let fits = |route: &Route| route.key() == key || format!("* {}", route.path) == key;
            if api.throttling.routes.contains_key(&key) && !api.routes.iter().any(fits) {
                let message = format!("there is no route {key}, so its limits have no effect.");
                resource.written(scope.problems).warn_on(line, &message);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_a_path_is_the_key_of_its_route() {
        assert_eq!(key(Some("*"), Some("/*")), None);
        assert_eq!(key(None, None), None);
        assert_eq!(
            key(Some("get"), Some("/~1orders~1{id}")).as_deref(),
            Some("GET /orders/{id}")
        );
        assert_eq!(
            key(Some("*"), Some("/orders")).as_deref(),
            Some("* /orders")
        );
        assert_eq!(key(Some("POST"), Some("/")).as_deref(), Some("POST /"));
        assert_eq!(key(Some("POST"), Some("/~1")).as_deref(), Some("POST /"));
    }
}
