//! Finds the route of a request.
//!
//! Segment by segment, fixed text comes before `{name}` before `{name+}`; on equal paths the named
//! method before ANY; `$default` last. An HTTP API selects the most specific route whose method and
//! path both match. A REST API selects the most specific path first, and then its method: a request
//! never falls back to a less specific path. A REST API also ignores a slash at the end.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::decode::percent;
use sam_template::model::Route;

/// The routes of an API, most specific first.
#[derive(Debug)]
pub(super) struct Router {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    route: Route,
    /// `None` for `$default`.
    segments: Option<Vec<Segment>>,
}

/// In order of precedence.
#[derive(Debug)]
enum Segment {
    Fixed(String),
    One(String),
    Rest(String),
}

/// A route with the values of its parameters.
#[derive(Debug)]
pub(super) struct RouteMatch<'r> {
    pub(super) route: &'r Route,
    pub(super) parameters: BTreeMap<String, String>,
}

/// A path of a REST API with its methods.
#[derive(Debug)]
pub(super) struct Resource<'r> {
    routes: Vec<&'r Route>,
    parameters: BTreeMap<String, String>,
}

impl<'r> Resource<'r> {
    /// Methods as the template writes them, with `ANY`.
    pub(super) fn methods(&self) -> Vec<&'r str> {
        let routes = self.routes.iter();
        routes.map(|route| route.method.as_str()).collect()
    }

    /// The route for a method, ANY last.
    pub(super) fn into_match(self, method: &str) -> Option<RouteMatch<'r>> {
        let of = |method| self.routes.iter().find(|route| route.method == method);
        Some(RouteMatch {
            route: of(method).or_else(|| of("ANY"))?,
            parameters: self.parameters,
        })
    }
}

impl Router {
    pub(super) fn new(routes: &[Route]) -> Self {
        let entry = |route: &Route| Entry {
            route: route.clone(),
            segments: segments(&route.path),
        };
        let mut entries: Vec<Entry> = routes.iter().map(entry).collect();
        entries.sort_by(precedence);
        Self { entries }
    }

    /// The route of a request. The path begins with `/` and is percent-encoded.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<RouteMatch<'_>> {
        let parts: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
        self.entries
            .iter()
            .filter(|entry| entry.route.method == "ANY" || entry.route.method == method)
            .find_map(|entry| {
                let parameters = match &entry.segments {
                    Some(segments) => matched(segments, &parts)?,
                    None => BTreeMap::new(),
                };
                Some(RouteMatch {
                    route: &entry.route,
                    parameters,
                })
            })
    }

    /// The most specific matching path of a REST API, with every method it has.
    pub(super) fn resource(&self, path: &str) -> Option<Resource<'_>> {
        let inner = path.strip_prefix('/').unwrap_or(path);
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let parts: Vec<&str> = inner.split('/').collect();
        let (first, parameters) = self.entries.iter().find_map(|entry| {
            let parameters = matched(entry.segments.as_ref()?, &parts)?;
            Some((&entry.route, parameters))
        })?;
        // the template check rejects one path with two names of a parameter ({a} and {b})
        let routes = self.entries.iter().map(|entry| &entry.route);
        Some(Resource {
            routes: routes.filter(|route| route.path == first.path).collect(),
            parameters,
        })
    }
}

fn segments(path: &str) -> Option<Vec<Segment>> {
    let path = path.strip_prefix('/')?;
    let parse = |part: &str| match part.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
        Some(name) => match name.strip_suffix('+') {
            Some(name) => Segment::Rest(name.to_owned()),
            None => Segment::One(name.to_owned()),
        },
        None => Segment::Fixed(part.to_owned()),
    };
    Some(path.split('/').map(parse).collect())
}

fn precedence(a: &Entry, b: &Entry) -> Ordering {
    let rank = |segment: &Segment| match segment {
        Segment::Fixed(_) => 0,
        Segment::One(_) => 1,
        Segment::Rest(_) => 2,
    };
    let by_path = match (&a.segments, &b.segments) {
        (Some(a), Some(b)) => a.iter().map(rank).cmp(b.iter().map(rank)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    };
    by_path.then_with(|| (a.route.method == "ANY").cmp(&(b.route.method == "ANY")))
}

/// The values of the parameters, if the path matches. A value has at least one character.
fn matched(segments: &[Segment], parts: &[&str]) -> Option<BTreeMap<String, String>> {
    let mut parameters = BTreeMap::new();
    for (at, segment) in segments.iter().enumerate() {
        let part = *parts.get(at)?;
        match segment {
            Segment::Fixed(text) if percent(part) == *text => {}
            Segment::Fixed(_) => return None,
            Segment::One(_) if part.is_empty() => return None,
            Segment::One(name) => {
                parameters.insert(name.clone(), percent(part));
            }
            Segment::Rest(name) => {
                let rest = parts[at..].join("/");
                if rest.is_empty() {
                    return None;
                }
                parameters.insert(name.clone(), percent(&rest));
                return Some(parameters);
            }
        }
    }
    (parts.len() == segments.len()).then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(key: &str) -> Route {
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        Route {
            method: method.into(),
            path: path.into(),
            function: key.into(),
            authorizer: None,
            scopes: Vec::new(),
            timeout: std::time::Duration::from_secs(30),
        }
    }

    fn find(routes: &[&str], method: &str, path: &str) -> Option<String> {
        let routes: Vec<Route> = routes.iter().map(|key| route(key)).collect();
        Router::new(&routes)
            .find(method, path)
            .map(|found| found.route.function.clone())
    }

    #[test]
    fn the_most_specific_route_wins_in_any_order() {
        let mut routes = vec![
            "$default",
            "ANY /{proxy+}",
            "GET /pets/{proxy+}",
            "GET /pets/dog/{id}",
            "GET /pets/dog/1",
            "ANY /pets/dog/1",
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            let found = |method: &str, path: &str| find(&routes, method, path).unwrap();
            assert_eq!(found("GET", "/pets/dog/1"), "GET /pets/dog/1");
            assert_eq!(found("PUT", "/pets/dog/1"), "ANY /pets/dog/1");
            assert_eq!(found("GET", "/pets/dog/2"), "GET /pets/dog/{id}");
            assert_eq!(found("GET", "/pets/cat/1"), "GET /pets/{proxy+}");
            assert_eq!(found("POST", "/pets/cat/1"), "ANY /{proxy+}");
            assert_eq!(found("GET", "/"), "$default");
        }
    }

    #[test]
    fn a_rest_api_finds_the_path_before_the_method() {
        let routes = [
            route("ANY /{proxy+}"),
            route("GET /pets"),
            route("ANY /pets/{id}"),
            route("DELETE /pets/{id}"),
            route("GET /"),
        ];
        let router = Router::new(&routes);
        let found = |method: &str, path: &str| {
            router
                .resource(path)
                .and_then(|resource| resource.into_match(method))
                .map(|found| found.route.function.clone())
        };
        assert_eq!(found("GET", "/pets").as_deref(), Some("GET /pets"));
        assert_eq!(found("GET", "/pets/").as_deref(), Some("GET /pets"));
        assert_eq!(
            found("POST", "/pets"),
            None,
            "no fallback to the greedy path"
        );
        assert_eq!(
            found("DELETE", "/pets/1").as_deref(),
            Some("DELETE /pets/{id}")
        );
        assert_eq!(found("PUT", "/pets/1").as_deref(), Some("ANY /pets/{id}"));
        assert_eq!(found("PUT", "/pets/1/x").as_deref(), Some("ANY /{proxy+}"));
        assert_eq!(found("GET", "/").as_deref(), Some("GET /"));
        assert_eq!(
            router.resource("/pets/1").unwrap().methods(),
            ["DELETE", "ANY"]
        );
    }

    #[test]
    fn parameters_are_decoded_and_never_empty() {
        let routes = [route("GET /a/{x}/b"), route("GET /f/{rest+}")];
        let router = Router::new(&routes);
        assert_eq!(
            router.find("GET", "/a/1%202/b").unwrap().parameters["x"],
            "1 2"
        );
        assert_eq!(
            router.find("GET", "/f/p/q%2Fr").unwrap().parameters["rest"],
            "p/q/r"
        );
        for none in ["/a//b", "/f/", "/a/1", "/a/1/b/", "/", "/A/1/b"] {
            assert!(router.find("GET", none).is_none(), "{none}");
        }
        assert!(router.find("POST", "/a/1/b").is_none());
    }
}
