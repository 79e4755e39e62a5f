//! The event of `usher invoke`: from `--data`, a file or standard input.

use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::error::CommandError;

/// Reads the event, which must be JSON: a function would fail on anything else without explanation.
/// `data` is the event itself, or `@` and a file; `file` names a file. `-` is standard input.
/// Without both, the event is `{}`.
///
/// # Errors
///
/// The file cannot be read, or the event is not JSON; the error names the line and column.
pub(super) fn read(data: Option<&str>, file: Option<&Path>) -> Result<Bytes, CommandError> {
    let (shown, bytes) = match (data, file) {
        (None, None) => return Ok(Bytes::from_static(b"{}")),
        (None, Some(file)) => contents(file, "-e")?,
        (Some(data), _) => match data.strip_prefix('@') {
            Some(file) => contents(Path::new(file), "--data @")?,
            None => ("of --data".to_owned(), data.as_bytes().to_vec()),
        },
    };
    if let Err(error) = strict_json::from_slice::<&RawValue>(&bytes) {
        return Err(CommandError::configuration(format!(
            "the event {shown} is not JSON: {error}."
        )));
    }
    Ok(Bytes::from(bytes))
}

/// Name and bytes of a file.
fn contents(file: &Path, option: &str) -> Result<(String, Vec<u8>), CommandError> {
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).map(|_| ())
    } else {
        std::fs::read(file).map(|read| bytes = read)
    };
    let shown = file.display().to_string();
    read.map_err(|error| {
        CommandError::configuration(format!(
            "cannot read the event {shown}: {error}. {option} names a JSON file, or - for standard \
             input."
        ))
    })?;
    Ok((shown, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_the_event() {
        let event = read(Some(r#"{"name": "you"}"#), None).ok();
        assert_eq!(event.as_deref(), Some(br#"{"name": "you"}"#.as_slice()));
    }

    #[test]
    fn data_names_a_file_after_an_at_sign() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../events/migrate/empty.json");
        let event = read(Some(&format!("@{file}")), None).ok();
        assert_eq!(event, std::fs::read(file).ok().map(Bytes::from));
        assert!(event.is_some());
    }

    #[test]
    fn invalid_json_names_line_and_column() {
        let error = read(Some("{\n  \"name\": you}"), None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("line 2 column"), "{text}");
    }
}
