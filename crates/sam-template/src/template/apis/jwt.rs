//! JWT authorizers of HTTP APIs and their routes. Any other kind is refused, because the host could
//! not protect its routes.

use crate::document::{Entry, Kind, Reader, hint};
use crate::model::{Api, JwtAuthorizer};

/// Reads the authorizers that an API declares, and its default.
pub(super) fn declared(auth: &Reader<'_>, api: &mut Api) {
    auth.only("Authorizers DefaultAuthorizer EnableIamAuthorizer");
    let declared = auth.entries("Authorizers");
    for entry in declared {
        if let Some(authorizer) = authorizer(auth, entry) {
            api.authorizers.insert(entry.key.clone(), authorizer);
        }
    }
    api.default_authorizer = auth.string("DefaultAuthorizer");
    if let Some(name) = &api.default_authorizer
        && !declared.iter().any(|e| e.key == *name)
    {
        let message = no_authorizer(name, declared.iter().map(|e| e.key.as_str()));
        auth.error("DefaultAuthorizer", &message);
    }
}

fn authorizer(auth: &Reader<'_>, entry: &Entry) -> Option<JwtAuthorizer> {
    let Entry {
        key: name,
        line,
        value,
    } = entry;
    if !matches!(value.kind, Kind::Map(_)) {
        auth.wrong(value, name, "a mapping");
        return None;
    }
    let reader = Reader::new(value, format!("authorizer {name}"), auth.problems);
    let Some(jwt) = reader.child("JwtConfiguration") else {
        if !reader.has("JwtConfiguration") {
            let message = format!(
                "authorizer {name} is not a JWT authorizer. Others cannot be run here, and a route \
                 without its authorizer would be unprotected. Write JwtConfiguration with issuer \
                 and audience."
            );
            auth.problems.error(*line, message);
        }
        return None;
    };
    let either = |low: &'static str, high: &'static str| if jwt.has(high) { high } else { low };
    let issuer = jwt.required(either("issuer", "Issuer"), "Write the token issuer's URL.");
    let audience = jwt.texts_or_one(either("audience", "Audience"));
    if audience.is_empty() {
        let message = format!(
            "authorizer {name} has no audience, so any token of the issuer would do. Write \
             `audience: [name]`."
        );
        auth.problems.error(*line, message);
    }
    let source = reader.text("IdentitySource");
    let source = source.unwrap_or("$request.header.Authorization");
    if !source.starts_with("$request.header.") && !source.starts_with("$request.querystring.") {
        let message = format!(
            "IdentitySource is $request.header.NAME or $request.querystring.NAME, not {source}."
        );
        reader.error("IdentitySource", &message);
    }
    Some(JwtAuthorizer {
        issuer: issuer.unwrap_or_default().to_owned(),
        audience: audience.into_iter().map(str::to_owned).collect(),
        identity_source: source.to_owned(),
        scopes: reader.strings("AuthorizationScopes"),
    })
}

fn no_authorizer<'a>(name: &str, declared: impl Iterator<Item = &'a str>) -> String {
    if name == "AWS_IAM" {
        return "AWS_IAM signatures cannot be checked here, and a route without its authorizer \
            would be unprotected. Use a JWT authorizer."
            .to_owned();
    }
    let hint = hint(name, declared);
    format!(
        "there is no authorizer {name} under Auth Authorizers.{hint} Write it there with \
         JwtConfiguration, or Authorizer: NONE."
    )
}

/// The authorizer and the scopes of a route.
pub(super) fn of_route(reader: &Reader<'_>, api: &Api) -> (Option<String>, Vec<String>) {
    let auth = reader.child("Auth");
    let named = auth.as_ref().and_then(|auth| auth.text("Authorizer"));
    let authorizer = match named {
        Some("NONE") => None,
        Some(name) => {
            // A broken declaration has been reported; only an unknown name is a new error.
            if !api.authorizers.contains_key(name) {
                let declared = api.authorizers.keys().map(String::as_str);
                reader.error("Auth", &no_authorizer(name, declared));
            }
            Some(name.to_owned())
        }
        None => api.default_authorizer.clone(),
    };
    let own = auth.map(|auth| {
        auth.only("Authorizer AuthorizationScopes InvokeRole ApiKeyRequired");
        auth.strings("AuthorizationScopes")
    });
    let scopes = match &authorizer {
        None => Vec::new(),
        Some(name) => match own.filter(|own| !own.is_empty()) {
            Some(own) => own,
            None => api
                .authorizers
                .get(name)
                .map_or_else(Vec::new, |a| a.scopes.clone()),
        },
    };
    (authorizer, scopes)
}
