//! Keys that verify signatures: the current one, and the next during a rotation.

use std::sync::Arc;
use std::time::Duration;

use aws_access::Version;
use serde::Deserialize;

use super::SourceError;
use super::login::NamedSecret;
use super::refreshed::Refreshed;
use crate::config::Secret;

/// Minimum time between two reads because of signatures that no key verifies: anyone can send such.
pub const KEYS_PAUSE: Duration = Duration::from_secs(5);
/// Keys older than this are read again, so that a removed key ceases to be accepted.
const MAX_AGE: Duration = Duration::from_mins(5);
const EXPECTED: &str =
    r#"a key, or {"current":"...","next":"..."} in JSON, each of 16 bytes or more"#;

/// The keys that are accepted. Clones share them.
///
/// A secret holds one key as it is, or `{"current":"...","next":"..."}`.
#[derive(Debug, Clone)]
pub struct Keys(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Fixed(Arc<[Secret]>),
    Secret(Refreshed<Arc<[Secret]>>),
}

impl Keys {
    /// Keys that do not change.
    pub fn fixed(keys: Vec<Secret>) -> Self {
        Self(Kind::Fixed(keys.into()))
    }

    pub(super) fn of_secret(
        access: aws_access::Access,
        secret: NamedSecret,
        min_bytes: usize,
    ) -> Self {
        let keys = Refreshed::new(KEYS_PAUSE, move |_| {
            let (access, secret) = (access.clone(), secret.clone());
            async move {
                let text = secret.read(&access, Version::Current).await?;
                parse(text.expose(), min_bytes).ok_or_else(|| secret.unlike(EXPECTED))
            }
        });
        Self(Kind::Secret(keys))
    }

    /// The keys to verify with. If they are old, they are read again at the same time, for the next
    /// caller.
    pub async fn current(&self) -> Result<Arc<[Secret]>, SourceError> {
        match &self.0 {
            Kind::Fixed(keys) => Ok(keys.clone()),
            Kind::Secret(keys) => {
                let current = keys.current().await?;
                keys.refresh_after(MAX_AGE);
                Ok(current)
            }
        }
    }

    /// Keys other than `refused`, after a signature that none of them verifies. `None`: there are
    /// no others. Reads the secret again, at most every [`KEYS_PAUSE`].
    pub async fn after(&self, refused: &[Secret]) -> Result<Option<Arc<[Secret]>>, SourceError> {
        match &self.0 {
            Kind::Fixed(_) => Ok(None),
            Kind::Secret(keys) => {
                let keys = keys.again().await?;
                Ok((keys[..] != *refused).then_some(keys))
            }
        }
    }
}

fn parse(text: &str, min_bytes: usize) -> Option<Arc<[Secret]>> {
    #[derive(Deserialize)]
    struct Content {
        current: String,
        next: Option<String>,
    }
    let keys = if text.trim_start().starts_with('{') {
        let content: Content = strict_json::from_str(text).ok()?;
        let next = content.next.filter(|next| !next.is_empty());
        std::iter::once(content.current).chain(next).collect()
    } else {
        vec![text.trim().to_owned()]
    };
    keys.iter()
        .all(|key| key.len() >= min_bytes)
        .then(|| keys.into_iter().map(Secret::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_holds_one_key_or_two() {
        let read = |text: &str| {
            parse(text, 4).map(|keys| {
                keys.iter()
                    .map(|key| key.expose().to_owned())
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(read(" abcd\n"), Some(vec!["abcd".to_owned()]));
        let both = r#"{"current":"abcd","next":"efgh"}"#;
        assert_eq!(read(both), Some(vec!["abcd".to_owned(), "efgh".to_owned()]));
        for one in [r#"{"current":"abcd"}"#, r#"{"current":"abcd","next":""}"#] {
            assert_eq!(read(one), Some(vec!["abcd".to_owned()]));
        }
        for bad in [
            "",
            "abc",
            r#"{"current":"abc"}"#,
            r#"{"next":"abcd"}"#,
            r#"{"current":"abcd""#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
