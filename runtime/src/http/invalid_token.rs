//! Why a token is invalid.

/// Why a token is invalid, for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidToken {
    #[error("the token is not a JWT")]
    NotJwt,
    #[error("the token's header demands extensions (crit)")]
    Extensions,
    #[error("the token is not signed with RSA")]
    NotRsa,
    /// Refreshed keys may have it.
    #[error("the token names no known key")]
    UnknownKey,
    #[error("the token's algorithm is not its key's")]
    Algorithm,
    #[error("the claims cannot be read")]
    Claims,
    #[error("the signature is not valid")]
    Signature,
    #[error("a claim that must be text is not")]
    NotText,
    #[error("a claim that must be text or a list of texts is not")]
    NotTexts,
    #[error("the issuer is not the configured one")]
    Issuer,
    #[error("the audience is not a configured one")]
    Audience,
    #[error("a time in the token is not a number")]
    Time,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Another reader could take another one.
    #[error("the request brings more than one token")]
    Several,
}
