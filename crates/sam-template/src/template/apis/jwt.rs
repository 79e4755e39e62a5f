//! JWT authorizers of HTTP APIs and their routes. Any other kind is refused, because the host could
//! not protect its routes.

use crate::document::{Entry, Kind, Problems, Reader, nearest};
use crate::model::{Api, JwtAuthorizer};

/// Reads the authorizers that an API declares, and its default.
pub(super) fn declared(auth: &Reader<'_>, api: &mut Api, problems: &mut Problems) {
    auth.only(
        &["Authorizers", "DefaultAuthorizer", "EnableIamAuthorizer"],
        problems,
    );
    let declared = auth.entries("Authorizers", problems);
    for Entry {
        key: name,
        line,
        value,
    } in declared
    {
        let reader = Reader::new(value, format!("authorizer {name}"));
        if !matches!(value.kind, Kind::Map(_)) {
            auth.wrong(value, name, "a mapping", problems);
            continue;
        }
        let Some(jwt) = reader.child("JwtConfiguration", problems) else {
            if reader.has("JwtConfiguration") {
                continue;
            }
            problems.error(
                *line,
                format!(
                    "authorizer {name} is not a JWT authorizer. Others cannot be run here, and a \
                     route without its authorizer would be unprotected. Write JwtConfiguration \
                     with issuer and audience."
                ),
            );
            continue;
        };
        let either = |low: &'static str, high: &'static str| {
            if jwt.get(high).is_some() { high } else { low }
        };
        let issuer = jwt.required(
            either("issuer", "Issuer"),
            "Write the token issuer's URL.",
            problems,
        );
        let audience = jwt.texts_or_one(either("audience", "Audience"), problems);
        if audience.is_empty() {
            problems.error(
                *line,
                format!(
                    "authorizer {name} has no audience, so any token of the issuer would do. \
                     Write `audience: [name]`."
                ),
            );
        }
        let source = reader
            .text("IdentitySource", problems)
            .unwrap_or("$request.header.Authorization");
        let known =
            source.starts_with("$request.header.") || source.starts_with("$request.querystring.");
        if !known {
            problems.error(
                reader.line("IdentitySource"),
                format!(
                    "authorizer {name}: IdentitySource is $request.header.NAME or \
                     $request.querystring.NAME, not {source}."
                ),
            );
        }
        let scopes = reader.texts("AuthorizationScopes", problems);
        api.authorizers.insert(
            name.clone(),
            JwtAuthorizer {
                issuer: issuer.unwrap_or_default().to_owned(),
                audience: audience.into_iter().map(str::to_owned).collect(),
                identity_source: source.to_owned(),
                scopes: scopes.into_iter().map(str::to_owned).collect(),
            },
        );
    }
    api.default_authorizer = auth.text("DefaultAuthorizer", problems).map(str::to_owned);
    if let Some(name) = &api.default_authorizer
        && !declared.iter().any(|e| e.key == *name)
    {
        problems.error(
            auth.line("DefaultAuthorizer"),
            no_authorizer(&auth.what, name, declared.iter().map(|e| e.key.as_str())),
        );
    }
}

fn no_authorizer<'a>(what: &str, name: &str, declared: impl Iterator<Item = &'a str>) -> String {
    if name == "AWS_IAM" {
        return format!(
            "{what}: AWS_IAM signatures cannot be checked here, and a route without its \
             authorizer would be unprotected. Use a JWT authorizer."
        );
    }
    let hint = nearest(name, declared)
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default();
    format!(
        "{what}: there is no authorizer {name} under Auth Authorizers.{hint} Write it there with \
         JwtConfiguration, or Authorizer: NONE."
    )
}

/// The authorizer and the scopes of a route.
pub(super) fn of_route(
    reader: &Reader<'_>,
    api: &Api,
    problems: &mut Problems,
) -> (Option<String>, Vec<String>) {
    let auth = reader.child("Auth", problems);
    let named = auth
        .as_ref()
        .and_then(|auth| auth.text("Authorizer", problems));
    let authorizer = match named {
        Some("NONE") => None,
        Some(name) => {
            // A broken declaration has been reported; only an unknown name is a new error.
            if !api.authorizers.contains_key(name) {
                problems.error(
                    reader.line("Auth"),
                    no_authorizer(
                        &reader.what,
                        name,
                        api.authorizers.keys().map(String::as_str),
                    ),
                );
            }
            Some(name.to_owned())
        }
        None => api.default_authorizer.clone(),
    };
    let own = auth.map(|auth| {
        auth.only(
            &[
                "Authorizer",
                "AuthorizationScopes",
                "InvokeRole",
                "ApiKeyRequired",
            ],
            problems,
        );
        auth.texts("AuthorizationScopes", problems)
    });
    let own: Vec<String> = own
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let scopes = match (&authorizer, own.is_empty()) {
        (None, _) => Vec::new(),
        (Some(name), true) => api
            .authorizers
            .get(name)
            .map(|a| a.scopes.clone())
            .unwrap_or_default(),
        (Some(_), false) => own,
    };
    (authorizer, scopes)
}
