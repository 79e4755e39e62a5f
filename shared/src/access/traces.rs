//! The export of spans.

use super::{Access, SourceError};
use crate::telemetry::traces::TraceSettings;

impl Access {
    /// The settings of the export, with the certificates of the process and the headers of their
    /// secret.
    pub fn traces(
        &self,
        settings: Option<&TraceSettings>,
    ) -> Result<Option<TraceSettings>, SourceError> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let certificates = self.certificates();
        let identity = certificates.identity.as_ref();
        let identity = identity.map(|own| (&own.certificate[..], &own.key[..]));
        let settings = settings
            .clone()
            .with_certificates(&certificates.authorities, identity)
            .map_err(|error| {
                let text = format!("certificates for the collector of traces: {error}");
                SourceError::Certificates(text)
            })?;
        let Some(secret) = settings.secret() else {
            return Ok(Some(settings));
        };
        let text = self.text(&secret.variable).unwrap_or_default();
        let with_headers = settings.with_headers(text);
        let complete = with_headers.ok_or_else(|| SourceError::Content {
            setting: secret.variable,
            arn: secret.arn.to_string(),
            expected: "name=value, several separated by commas",
        })?;
        Ok(Some(complete))
    }
}
