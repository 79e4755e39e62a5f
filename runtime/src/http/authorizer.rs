//! JWT authorizers: checks that a token may use a route.
//!
//! The form is checked first ([`token`]); then the signature, with the key that the token names,
//! RSA only, once for each token ([`super::verified`]); then the claims: `iss`, `aud` (`client_id` only where there is no `aud`), `exp`,
//! `nbf`, `iat`, and at least one of the route's scopes. A registered claim of another type than in
//! RFC 7519 is rejected, never treated as absent. Time is a parameter.

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};

use super::invalid_token::InvalidToken;
use super::keys::KeySet;
use super::token::{self, Members, texts};
use super::verified::Claims;
use sam_template::model::JwtAuthorizer;

/// A valid token.
#[derive(Debug, PartialEq)]
pub(super) struct Granted {
    pub(super) claims: Claims,
    /// The route's scopes that the token has; `None`: the route requires none.
    pub(super) scopes: Option<Vec<String>>,
}

/// Why a token is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is no token: 401.
    Missing,
    /// The token is invalid; the client receives the reason: 401.
    Invalid(InvalidToken),
    /// The token is valid, but not for this route: 403.
    Scope,
}

/// Claims that, if present, are text and not empty (RFC 7519, section 4.1; `client_id`: RFC 8693,
/// section 4.3).
const TEXTS: [&str; 4] = ["iss", "sub", "jti", "client_id"];

/// Claims that, if present, are text or a list of texts.
const LISTS: [&str; 3] = ["aud", "scope", "scp"];

/// Checks a token, with or without `Bearer` before it. `now`: seconds since 1970.
pub(super) fn check(
    token: Option<&str>,
    authorizer: &JwtAuthorizer,
    scopes: &[String],
    keys: &KeySet,
    now: i64,
) -> Result<Granted, Denied> {
    let token = token
        .map(without_bearer)
        .filter(|token| !token.is_empty())
        .ok_or(Denied::Missing)?;
    let claims = keys
        .verified_tokens()
        .get_or_verify(token, || verified(token, keys))?;
    check_claims(&claims, authorizer, now)?;
    let scopes = match scopes {
        [] => None,
        required => {
            let held = held_scopes(&claims);
            let both: Vec<String> = required
                .iter()
                .filter(|scope| held.contains(&scope.as_str()))
                .cloned()
                .collect();
            if both.is_empty() {
                return Err(Denied::Scope);
            }
            Some(both)
        }
    };
    Ok(Granted { claims, scopes })
}

fn without_bearer(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim(),
        _ => text,
    }
}

/// The claims, if a key of the set verifies the signature.
fn verified(token: &str, keys: &KeySet) -> Result<Map<String, Value>, Denied> {
    token::check_header(token).map_err(Denied::Invalid)?;
    let header =
        jsonwebtoken::decode_header(token).map_err(|_| Denied::Invalid(InvalidToken::NotJwt))?;
    if !matches!(
        header.alg,
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512
    ) {
        return Err(Denied::Invalid(InvalidToken::NotRsa));
    }
    let key = header
        .kid
        .as_deref()
        .and_then(|kid| keys.find(kid))
        .ok_or(Denied::Invalid(InvalidToken::UnknownKey))?;
    if key.algorithm.is_some_and(|only| only != header.alg) {
        return Err(Denied::Invalid(InvalidToken::Algorithm));
    }
    let mut signature_only = Validation::new(header.alg);
    signature_only.required_spec_claims.clear();
    signature_only.validate_exp = false;
    signature_only.validate_aud = false;
    jsonwebtoken::decode::<Members>(token, &key.decoding, &signature_only)
        .map(|data| data.claims.0)
        .map_err(|error| {
            Denied::Invalid(match error.kind() {
                ErrorKind::Json(_) | ErrorKind::Utf8(_) => InvalidToken::Claims,
                _ => InvalidToken::Signature,
            })
        })
}

fn check_claims(
    claims: &Map<String, Value>,
    authorizer: &JwtAuthorizer,
    now: i64,
) -> Result<(), Denied> {
    let present = |names: &[&str], wrong: fn(&Value) -> bool| {
        let mut present = names.iter().filter_map(|name| claims.get(*name));
        present.any(wrong)
    };
    if present(&TEXTS, |claim| claim.as_str().is_none_or(str::is_empty)) {
        return Err(Denied::Invalid(InvalidToken::NotText));
    }
    if present(&LISTS, |claim| texts(claim).is_none()) {
        return Err(Denied::Invalid(InvalidToken::NotTexts));
    }
    if claims.get("iss").and_then(Value::as_str) != Some(&authorizer.issuer) {
        return Err(Denied::Invalid(InvalidToken::Issuer));
    }
    let audience = claims
        .get("aud")
        .or_else(|| claims.get("client_id"))
        .and_then(texts)
        .unwrap_or_default();
    if !audience
        .iter()
        .any(|one| authorizer.audience.iter().any(|allowed| allowed == one))
    {
        return Err(Denied::Invalid(InvalidToken::Audience));
    }
    let time = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .map(Some)
            .ok_or(Denied::Invalid(InvalidToken::Time)),
    };
    let now = now as f64;
    if time("exp")?.is_none_or(|exp| exp <= now) {
        return Err(Denied::Invalid(InvalidToken::Expired));
    }
    if time("nbf")?.is_some_and(|nbf| nbf > now) || time("iat")?.is_some_and(|iat| iat > now) {
        return Err(Denied::Invalid(InvalidToken::NotYetValid));
    }
    Ok(())
}

/// `scope`, or `scp` where there is no `scope`: text, separated by spaces, or a list of texts.
fn held_scopes(claims: &Map<String, Value>) -> Vec<&str> {
    let value = claims.get("scope").or_else(|| claims.get("scp"));
    value
        .and_then(texts)
        .unwrap_or_default()
        .into_iter()
        .flat_map(str::split_whitespace)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn authorizer() -> JwtAuthorizer {
        JwtAuthorizer {
            issuer: "https://i/".into(),
            audience: vec!["a".into(), "b".into()],
            identity_source: "$request.header.Authorization".into(),
            scopes: Vec::new(),
        }
    }

    fn claims(value: &Value) -> Result<(), Denied> {
        let mut claims = json!({"iss": "https://i/", "aud": "a", "exp": 200});
        for (key, change) in value.as_object().unwrap() {
            claims[key] = change.clone();
        }
        let mut claims = claims.as_object().unwrap().clone();
        claims.retain(|_, value| *value != json!("absent"));
        check_claims(&claims, &authorizer(), 100)
    }

    #[test]
    fn matching_claims_pass() {
        for fits in [
            json!({}),
            json!({"aud": ["x", "b"]}),
            json!({"aud": "absent", "client_id": "b"}),
            json!({"nbf": 100, "iat": 99.5}),
            json!({"sub": "alice", "scp": []}),
            json!({"exp": 100.5}),
        ] {
            assert_eq!(claims(&fits), Ok(()), "{fits}");
        }
    }

    #[test]
    fn other_claims_are_rejected() {
        for wrong in [
            json!({"iss": "https://i"}),
            json!({"iss": "absent"}),
            json!({"iss": ["https://i/"]}),
            json!({"sub": null}),
            json!({"sub": 7}),
            json!({"sub": {"id": "alice"}}),
            json!({"sub": ["alice"]}),
            json!({"sub": true}),
            json!({"sub": ""}),
            json!({"jti": 7}),
            json!({"aud": ["a", 7]}),
            json!({"aud": {"a": "a"}}),
            json!({"aud": "absent", "client_id": ["a"]}),
            json!({"aud": null, "client_id": "a"}),
            json!({"scope": 7}),
            json!({"scope": null}),
            json!({"scp": ["a", null]}),
            json!({"exp": -1}),
            json!({"exp": true}),
            json!({"exp": [200]}),
            json!({"nbf": null}),
            json!({"iat": "99"}),
            json!({"aud": "c"}),
            json!({"aud": "c", "client_id": "a"}),
            json!({"aud": []}),
            json!({"aud": "absent"}),
            json!({"exp": 100}),
            json!({"exp": "absent"}),
            json!({"exp": null}),
            json!({"exp": "200"}),
            json!({"nbf": 101}),
            json!({"iat": 101}),
        ] {
            assert!(matches!(claims(&wrong), Err(Denied::Invalid(_))), "{wrong}");
        }
    }

    #[test]
    fn a_token_verified_earlier_expires() {
        let jwks = r#"{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"}]}"#;
        let keys = KeySet::parse(jwks).unwrap();
        let claims = json!({"iss": "https://i/", "aud": "a", "exp": 200});
        let verified = claims.as_object().unwrap().clone();
        let kept = keys
            .verified_tokens()
            .get_or_verify("t", || Ok::<_, ()>(verified));
        assert!(kept.is_ok());
        let check = |now| check(Some("Bearer t"), &authorizer(), &[], &keys, now).map(drop);
        assert_eq!(check(199), Ok(()));
        assert_eq!(check(200), Err(Denied::Invalid(InvalidToken::Expired)));
    }

    #[test]
    fn scopes_are_read_from_either_claim() {
        for value in [
            json!({"scope": "a b"}),
            json!({"scp": ["a", "b"]}),
            json!({"scp": "a b"}),
        ] {
            assert_eq!(held_scopes(value.as_object().unwrap()), ["a", "b"]);
        }
    }
}
