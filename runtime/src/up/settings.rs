//! `[settings]` of usher.toml: applied at the start, and again whenever the file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::StartError;
use crate::control::Tuner;
use crate::project::{SETTINGS, setting_changes};
use crate::tuning::{SettingChange, changes_between};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Applies what the file says at the start.
///
/// # Errors
/// Everything that cannot be, in one message.
pub(super) fn begin(tuner: &Tuner, wishes: &[SettingChange]) -> Result<(), StartError> {
    let refused = apply(tuner, &[], wishes);
    if refused.is_empty() {
        Ok(())
    } else {
        Err(StartError(refused.join("\n")))
    }
}

fn apply(tuner: &Tuner, before: &[SettingChange], after: &[SettingChange]) -> Vec<String> {
    let wishes = changes_between(before, after, &tuner.settings());
    let refused = wishes
        .iter()
        .filter_map(|wish| tuner.wish(SETTINGS, wish).err());
    refused
        .map(|why| format!("{SETTINGS} [settings]: {why}"))
        .collect()
}

/// Follows the file for ever. What is wrong in it changes nothing and is told once.
pub(super) async fn follow(file: PathBuf, tuner: Arc<Tuner>, mut known: Vec<SettingChange>) {
    // read once more at the start: it may have been edited since `known` was
    let mut stamp = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = stamp_of(&file).await;
        if now == stamp {
            continue;
        }
        stamp = now;
        match setting_changes(&file) {
            Ok(wishes) => {
                // refusals are told by the tuner; those wishes count as known, so that they are told once
                apply(&tuner, &known, &wishes);
                known = wishes;
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                tracing::warn!("nothing is changed: {}", problems.join("; "));
            }
        }
    }
}

/// What tells an edited file from the one before: an editor may keep the length, and a copy the time.
async fn stamp_of(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
