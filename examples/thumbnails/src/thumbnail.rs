//! One message: the picture that it names becomes a thumbnail.

use std::path::{Component, Path, PathBuf};

use lambda_batch::{HandlerError, SqsMessage};
use serde::Deserialize;

use crate::ppm::Image;

#[derive(Debug, Deserialize)]
struct Job {
    picture: PathBuf,
}

/// Folders and size.
#[derive(Debug)]
pub(crate) struct Thumbnailer {
    pub(crate) pictures: PathBuf,
    pub(crate) thumbnails: PathBuf,
    /// Longest side of a thumbnail, pixels.
    pub(crate) longest_side: usize,
}

impl Thumbnailer {
    /// Writes the thumbnail beside its final name first, then renames it: no reader opens half a
    /// file, and a message that is delivered twice writes the same file twice.
    pub(crate) fn shrink(&self, message: &SqsMessage) -> Result<(), HandlerError> {
        let job: Job = message.parse_json()?;
        let name = file_name(&job.picture).ok_or_else(|| {
            HandlerError::park("`picture` must be the name of a file, without a folder")
        })?;
        let bytes = std::fs::read(self.pictures.join(name)).map_err(HandlerError::retry)?;
        let image = Image::read(&bytes).map_err(HandlerError::park)?;
        let small = image.shrunk(self.longest_side);
        let written = self.write(name, &small.to_bytes());
        written.map_err(HandlerError::retry)?;
        println!("{} is {} x {}", name.display(), small.width, small.height);
        Ok(())
    }

    fn write(&self, name: &Path, bytes: &[u8]) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.thumbnails)?;
        let temporary = format!("{}.{}", name.display(), std::process::id());
        let temporary = self.thumbnails.join(temporary);
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(temporary, self.thumbnails.join(name))
    }
}

/// The path if it is a bare file name: a message must not name a file outside the folder.
fn file_name(path: &Path) -> Option<&Path> {
    let mut parts = path.components();
    (matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()).then_some(path)
}

#[cfg(test)]
mod tests {
    use lambda_batch::SqsBatch;

    use super::*;

    #[test]
    fn a_message_cannot_leave_the_folder() {
        assert!(file_name(Path::new("beach.ppm")).is_some());
        for outside in ["../beach.ppm", "/etc/passwd", "a/b.ppm", ""] {
            assert!(file_name(Path::new(outside)).is_none(), "{outside}");
        }
    }

    #[test]
    fn bad_messages_are_refused_and_missing_files_retried() {
        let event = r#"{"Records": [
            {"messageId": "1", "body": "not JSON"},
            {"messageId": "2", "body": "{\"picture\": \"../x.ppm\"}"},
            {"messageId": "3", "body": "{\"picture\": \"x.ppm\"}"}
        ]}"#;
        let batch: SqsBatch = serde_json::from_str(event).expect("an event");
        let thumbnailer = Thumbnailer {
            pictures: "/missing".into(),
            thumbnails: "/missing".into(),
            longest_side: 8,
        };
        let results: Vec<_> = batch
            .messages
            .iter()
            .map(|message| thumbnailer.shrink(message))
            .collect();
        assert!(
            matches!(results[0], Err(HandlerError::Park(_))),
            "{results:?}"
        );
        assert!(
            matches!(results[1], Err(HandlerError::Park(_))),
            "{results:?}"
        );
        assert!(
            matches!(results[2], Err(HandlerError::Retry(_))),
            "{results:?}"
        );
    }
}
