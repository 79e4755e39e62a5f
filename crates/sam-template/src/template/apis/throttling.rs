//! `ThrottlingRateLimit` and `ThrottlingBurstLimit`, in `DefaultRouteSettings` and `RouteSettings`
//! of an HTTP API, `RouteSettings` of an `HttpApi` event, and `MethodSettings` of a REST API.

use super::super::resources::Resource;
use crate::document::{Node, Problems, Reader};
use crate::model::{Api, Application, Throttle};

/// Default quotas of an account, which apply if only one of the two limits is written.
const DEFAULT_QUOTAS: Throttle = Throttle {
    rate_milli: 10_000_000,
    burst: 5_000,
};

/// Upper bound of both limits.
const MAX_LIMIT: u32 = 1_000_000;

/// Other route settings of an HTTP API: metrics and logs of the service.
const ROUTE: [&str; 5] = [
    "DataTraceEnabled",
    "DetailedMetricsEnabled",
    "LoggingLevel",
    "ThrottlingBurstLimit",
    "ThrottlingRateLimit",
];

/// Settings of a method of a REST API.
const METHOD: [&str; 10] = [
    "CacheDataEncrypted",
    "CacheTtlInSeconds",
    "CachingEnabled",
    "DataTraceEnabled",
    "HttpMethod",
    "LoggingLevel",
    "MetricsEnabled",
    "ResourcePath",
    "ThrottlingBurstLimit",
    "ThrottlingRateLimit",
];

/// Reads the limits of an HTTP API.
pub(super) fn http_api(reader: &Reader<'_>, api: &mut Api, problems: &mut Problems) {
    if let Some(default) = reader.child("DefaultRouteSettings", problems) {
        api.throttling.default = route(&default, problems);
    }
    let Some(routes) = reader.child("RouteSettings", problems) else {
        return;
    };
    for entry in routes.node.entries() {
        if let Some(settings) = routes.child(&entry.key, problems)
            && let Some(limit) = route(&settings, problems)
        {
            api.throttling.routes.insert(entry.key.clone(), limit);
        }
    }
}

/// Reads the settings of one route, or of all.
pub(super) fn route(settings: &Reader<'_>, problems: &mut Problems) -> Option<Throttle> {
    settings.only(&ROUTE, problems);
    limit(settings, problems)
}

/// Reads the limits of a REST API.
pub(super) fn rest_api(reader: &Reader<'_>, api: &mut Api, problems: &mut Problems) {
    for settings in reader.mappings("MethodSettings", "MethodSettings", problems) {
        settings.only(&METHOD, problems);
        if settings.flag("CachingEnabled", problems) == Some(true) {
            let message = format!(
                "{}: answers are not cached here; the function receives every request.",
                settings.what
            );
            problems.warn(settings.line("CachingEnabled"), message);
        }
        let method = settings.text("HttpMethod", problems);
        let path = settings.text("ResourcePath", problems);
        if let Some(limit) = limit(&settings, problems) {
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

fn limit(settings: &Reader<'_>, problems: &mut Problems) -> Option<Throttle> {
    let burst = settings
        .number("ThrottlingBurstLimit", 0..=i64::from(MAX_LIMIT), problems)
        .and_then(|n| u32::try_from(n).ok());
    let rate = rate(settings, problems);
    (burst.is_some() || rate.is_some()).then(|| Throttle {
        rate_milli: rate.unwrap_or(DEFAULT_QUOTAS.rate_milli),
        burst: burst.unwrap_or(DEFAULT_QUOTAS.burst),
    })
}

/// Thousandths of a request per second.
fn rate(settings: &Reader<'_>, problems: &mut Problems) -> Option<u64> {
    let node = settings.get("ThrottlingRateLimit")?;
    let number = node.text().and_then(|text| text.trim().parse::<f64>().ok());
    let number = number.filter(|number| (0.0..=f64::from(MAX_LIMIT)).contains(number));
    if number.is_none() {
        settings.wrong(
            node,
            "ThrottlingRateLimit",
            &format!("a number from 0 to {MAX_LIMIT}"),
            problems,
        );
    }
    number.map(|number| (number * 1_000.0).round() as u64)
}

/// Warns of limits for routes that an API does not have. Runs after the routes are read.
pub(in super::super) fn check(
    resources: &[Resource],
    application: &Application,
    problems: &mut Problems,
) {
    for resource in resources {
        let Some(api) = application.apis.iter().find(|api| api.id == resource.id) else {
            continue;
        };
        let mut written: Vec<(usize, String)> = Vec::new();
        let routes = resource
            .properties
            .get("RouteSettings")
            .map(Node::entries)
            .unwrap_or_default();
        written.extend(routes.iter().map(|entry| (entry.line, entry.key.clone())));
        let methods = resource
            .properties
            .get("MethodSettings")
            .map(Node::items)
            .unwrap_or_default();
        let text = |item: &Node, name: &str| item.get(name).and_then(Node::text).map(str::to_owned);
        written.extend(methods.iter().filter_map(|item| {
            Some((
                item.line,
                key(
                    text(item, "HttpMethod").as_deref(),
                    text(item, "ResourcePath").as_deref(),
                )?,
            ))
        }));
        for (line, key) in written {
            let fits = api
                .routes
                .iter()
                .any(|route| route.key() == key || format!("* {}", route.path) == key);
            if api.throttling.routes.contains_key(&key) && !fits {
                let message = format!(
                    "API {}: there is no route {key}, so its limits have no effect.",
                    api.id
                );
                problems.warn(line, message);
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
