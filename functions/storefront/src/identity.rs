//! Who is asking: what the gateway's JWT authorizer verified, never what a header says.
//!
//! The gateway puts the claims of a verified token into the event (`requestContext.authorizer.jwt.claims`). A request that
//! reaches the function without them, on a route that wants a buyer, is answered 401: a route without authorizer fails closed.

use std::collections::HashMap;

use shared::message::UserId;

use crate::http::Problem;

/// Claims of a verified token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims(HashMap<String, String>);

impl Claims {
    /// As the authorizer handed them over.
    pub fn new(claims: HashMap<String, String>) -> Self {
        Self(claims)
    }

    /// The buyer: claim `sub`.
    pub fn user(&self) -> Result<UserId, Problem> {
        let sub = self.0.get("sub").ok_or_else(|| Problem::unauthorized("this needs a token"))?;
        UserId::new(sub.as_str()).map_err(|e| Problem::unauthorized(format!("the token's sub cannot be used: {e}")))
    }

    /// Whether the token has this scope (claim `scope`, separated by blanks).
    pub fn has_scope(&self, wanted: &str) -> bool {
        let scopes = self.0.get("scope").map_or("", String::as_str);
        scopes.split(' ').any(|scope| scope == wanted)
    }

    /// Refuses a token without this scope.
    pub fn require_scope(&self, wanted: &str) -> Result<(), Problem> {
        if self.has_scope(wanted) { Ok(()) } else { Err(Problem::forbidden(format!("this needs a token with scope {wanted}"))) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(pairs: &[(&str, &str)]) -> Claims {
        Claims::new(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn without_a_verified_sub_there_is_no_user() {
        for nobody in [claims(&[]), claims(&[("sub", "")]), claims(&[("sub", "a b")]), claims(&[("user", "alice")])] {
            assert_eq!(nobody.user().map_err(|p| p.status), Err(401));
        }
        assert_eq!(claims(&[("sub", "alice")]).user().map(String::from), Ok("alice".to_owned()));
    }

    #[test]
    fn a_scope_counts_only_whole() {
        assert!(claims(&[("scope", "a programs:write b")]).require_scope("programs:write").is_ok());
        for lacking in ["", "programs", "programs:write:all", "xprograms:write"] {
            assert_eq!(claims(&[("scope", lacking)]).require_scope("programs:write").map_err(|p| p.status), Err(403));
        }
    }
}
