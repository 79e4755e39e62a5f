//! The export of spans.

use super::{Access, SourceError};
use crate::telemetry::traces::TraceSettings;

impl Access {
    /// The settings of the export, with the headers of their secret.
    pub fn traces(
        &self,
        settings: Option<&TraceSettings>,
    ) -> Result<Option<TraceSettings>, SourceError> {
        let Some(settings) = settings else {
            return Ok(None);
        };
        let Some(secret) = settings.secret() else {
            return Ok(Some(settings.clone()));
        };
        let text = self.text(&secret.variable).unwrap_or_default();
        let with_headers = settings.clone().with_headers(text);
        let complete = with_headers.ok_or_else(|| SourceError::Content {
            setting: secret.variable,
            arn: secret.arn.to_string(),
            expected: "name=value, several separated by commas",
        })?;
        Ok(Some(complete))
    }
}
