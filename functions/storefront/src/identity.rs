//! Identity of the caller, from the claims that the gateway's JWT authorizer verified.
//!
//! The gateway puts the claims of a verified token into the event as text
//! (`requestContext.authorizer.jwt.claims`). Without them a route that needs a user answers 401, so
//! a route whose authorizer is missing fails closed.

use std::collections::HashMap;

use shared::message::UserId;

use crate::http::Problem;

/// Claims of a verified token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims(HashMap<String, String>);

impl Claims {
    /// Claims by name.
    pub fn new(claims: HashMap<String, String>) -> Self {
        Self(claims)
    }

    /// The buyer: claim `sub`.
    pub fn user(&self) -> Result<UserId, Problem> {
        let sub = self
            .0
            .get("sub")
            .ok_or_else(|| Problem::unauthorized("this route needs a token"))?;
        if is_not_text(sub) {
            return Err(Problem::unauthorized(
                "the token's sub cannot be used: it must be text (RFC 7519, section 4.1.2)",
            ));
        }
        UserId::new(sub.as_str())
            .map_err(|e| Problem::unauthorized(format!("the token's sub cannot be used: {e}")))
    }

    /// The user of a token with this scope.
    pub fn user_with(&self, scope: &str) -> Result<UserId, Problem> {
        let user = self.user()?;
        self.require_scope(scope)?;
        Ok(user)
    }

    /// Whether the token has this scope: claim `scope`, else `scp` (Okta, Entra). The gateway
    /// writes a list as `[a b]`.
    pub fn has_scope(&self, scope: &str) -> bool {
        let scopes = self
            .0
            .get("scope")
            .or_else(|| self.0.get("scp"))
            .map_or("", String::as_str);
        let items = scopes
            .strip_prefix('[')
            .and_then(|inner| inner.strip_suffix(']'));
        items.unwrap_or(scopes).split(' ').any(|held| held == scope)
    }

    /// Refuses a token without this scope.
    pub fn require_scope(&self, scope: &str) -> Result<(), Problem> {
        if self.has_scope(scope) {
            Ok(())
        } else {
            Err(Problem::forbidden(format!(
                "this route needs a token with scope {scope}"
            )))
        }
    }
}

/// Whether the gateway wrote this text for a claim that was null, a boolean, a list or an object.
fn is_not_text(claim: &str) -> bool {
    matches!(claim, "null" | "true" | "false")
        || claim.starts_with(['[', '{'])
        || claim.starts_with("map[")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(pairs: &[(&str, &str)]) -> Claims {
        Claims::new(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn a_user_needs_a_textual_sub() {
        for invalid in [
            claims(&[]),
            claims(&[("sub", "")]),
            claims(&[("sub", "a b")]),
            claims(&[("user", "alice")]),
        ] {
            assert_eq!(invalid.user().map_err(|p| p.status), Err(401));
        }
        for sub in [
            "null",
            "true",
            "false",
            "[alice]",
            "[]",
            "{\"a\":1}",
            "map[a:1]",
        ] {
            assert_eq!(
                claims(&[("sub", sub)]).user().map_err(|p| p.status),
                Err(401),
                "{sub}"
            );
        }
        assert_eq!(
            claims(&[("sub", "alice")]).user().map(String::from),
            Ok("alice".to_owned())
        );
    }

    #[test]
    fn a_scope_matches_only_as_a_whole() {
        assert!(
            claims(&[("scope", "a programs:write b")])
                .require_scope("programs:write")
                .is_ok()
        );
        for (claim, held) in [
            ("scp", "programs:write"),
            ("scp", "[a programs:write]"),
            ("scope", "[programs:write b]"),
        ] {
            assert!(
                claims(&[(claim, held)])
                    .require_scope("programs:write")
                    .is_ok(),
                "{claim}={held}"
            );
        }
        for lacking in [
            "",
            "[]",
            "programs",
            "programs:write:all",
            "xprograms:write",
            "[programs]",
            "[programs:write",
            "programs:write]",
        ] {
            for claim in ["scope", "scp"] {
                let refused = claims(&[(claim, lacking)]).require_scope("programs:write");
                assert_eq!(refused.map_err(|p| p.status), Err(403), "{claim}={lacking}");
            }
        }
        assert!(
            claims(&[("scope", "a"), ("scp", "programs:write")])
                .require_scope("programs:write")
                .is_err(),
            "scope comes first"
        );
    }
}
