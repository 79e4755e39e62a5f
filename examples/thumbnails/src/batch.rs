//! One invocation: every message by itself, so that one bad picture costs nobody else a second try.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::picture::Picture;

/// What the queue hands over; the rest of a message does not matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    body: String,
}

#[derive(Debug, Deserialize)]
struct Job {
    picture: PathBuf,
}

/// The messages that are to come again.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Where pictures come from and thumbnails go, and how large these are.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) pictures: PathBuf,
    pub(crate) thumbnails: PathBuf,
    pub(crate) longest_side: usize,
}

impl Workshop {
    /// Shrinks every picture of a batch and names the messages that failed.
    pub(crate) fn work(&self, event: Event) -> Answer {
        let mut answer = Answer::default();
        for message in event.records {
            if let Err(why) = self.shrink(&message.body) {
                println!("message {} failed: {why}", message.message_id);
                answer.batch_item_failures.push(Failure {
                    item_identifier: message.message_id,
                });
            }
        }
        answer
    }

    /// Whoever reads the thumbnail never sees half of it, and doing it twice leaves the same file.
    fn shrink(&self, body: &str) -> Result<(), Box<dyn std::error::Error>> {
        let job: Job = serde_json::from_str(body)?;
        let name = plain(&job.picture)
            .ok_or("the picture must be the name of a file, without a way to other folders")?;
        let picture = Picture::read(&std::fs::read(self.pictures.join(name))?)?;
        let small = picture.shrunk(self.longest_side);
        std::fs::create_dir_all(&self.thumbnails)?;
        let half = self
            .thumbnails
            .join(format!("{}.{}", name.display(), std::process::id()));
        std::fs::write(&half, small.to_bytes())?;
        std::fs::rename(half, self.thumbnails.join(name))?;
        println!("{} is {} x {}", name.display(), small.width, small.height);
        Ok(())
    }
}

/// A bare file name: a message must not lead out of the folder.
fn plain(path: &Path) -> Option<&Path> {
    let mut parts = path.components();
    (matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none()).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_leave_the_folder() {
        assert!(plain(Path::new("beach.ppm")).is_some());
        for way_out in ["../beach.ppm", "/etc/passwd", "a/b.ppm", ""] {
            assert!(plain(Path::new(way_out)).is_none(), "{way_out}");
        }
    }

    #[test]
    fn a_message_that_fails_is_named_alone() {
        let record = |id: &str, body: &str| Message {
            message_id: id.into(),
            body: body.into(),
        };
        let nowhere = Workshop {
            pictures: "/nowhere".into(),
            thumbnails: "/nowhere".into(),
            longest_side: 8,
        };
        let answer = nowhere.work(Event {
            records: vec![
                record("1", "not JSON"),
                record("2", r#"{"picture": "x.ppm"}"#),
            ],
        });
        let ids: Vec<&str> = answer
            .batch_item_failures
            .iter()
            .map(|f| f.item_identifier.as_str())
            .collect();
        assert_eq!(ids, ["1", "2"]);
        assert_eq!(
            serde_json::to_string(&Answer::default()).unwrap_or_default(),
            r#"{"batchItemFailures":[]}"#
        );
    }
}
