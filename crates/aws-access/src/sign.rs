//! Signatures, version 4, by the signer of the official SDKs.

use std::time::SystemTime;

use aws_credential_types::Credentials;
#[cfg(feature = "tokens")]
use aws_sigv4::http_request::SignatureLocation;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

use crate::AccessError;

/// What a signature is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) time: SystemTime,
}

/// The headers that sign a request with this body.
pub(crate) fn headers(
    scope: Scope,
    credentials: Credentials,
    request: &http::Request<bytes::Bytes>,
) -> Result<SigningInstructions, AccessError> {
    let headers = request.headers().iter();
    let headers: Vec<(&str, &str)> = headers
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect();
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers.into_iter(),
        SignableBody::Bytes(request.body()),
    );
    signed(scope, credentials, signable, SigningSettings::default())
}

/// The parameters that sign a GET of this URL, valid for a time.
#[cfg(feature = "tokens")]
pub(crate) fn parameters(
    scope: Scope,
    credentials: Credentials,
    url: &str,
    valid: std::time::Duration,
) -> Result<SigningInstructions, AccessError> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(valid);
    let signable = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::empty());
    signed(scope, credentials, signable, settings)
}

fn signed(
    scope: Scope,
    credentials: Credentials,
    request: Result<SignableRequest, aws_sigv4::http_request::SigningError>,
    settings: SigningSettings,
) -> Result<SigningInstructions, AccessError> {
    let signing = |e: &dyn std::error::Error| AccessError::Signing(e.to_string());
    let identity: Identity = credentials.into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.time)
        .settings(settings)
        .build()
        .map_err(|e| signing(&e))?
        .into();
    let output = sign(request.map_err(|e| signing(&e))?, &parameters).map_err(|e| signing(&e))?;
    Ok(output.into_parts().0)
}
