//! `[settings]` of usher.toml: applied at the start, and again whenever the file changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::error::StartError;
use crate::control::Tuner;
use crate::tuning::changes_between;
use sam_template::model::Application;
use sam_template::project::{SETTINGS, SettingChange, setting_changes};

/// Interval between two checks of the file.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Applies what the file says at the start.
///
/// # Errors
/// Every refused setting.
pub(super) fn begin(tuner: &Tuner, changes: &[SettingChange]) -> Result<(), StartError> {
    let refused = apply(tuner, &[], changes);
    if refused.is_empty() {
        Ok(())
    } else {
        Err(StartError::Settings(refused))
    }
}

fn apply(tuner: &Tuner, before: &[SettingChange], after: &[SettingChange]) -> Vec<String> {
    let changes = changes_between(before, after, &tuner.settings());
    let refused = changes
        .iter()
        .filter_map(|change| tuner.apply(SETTINGS, change).err());
    refused
        .map(|why| format!("{SETTINGS} [settings]: {why}"))
        .collect()
}

/// Follows the file for ever. A file with an error changes nothing and is logged once. What the
/// application leaves out has no settings.
pub(super) async fn follow(
    file: PathBuf,
    tuner: Arc<Tuner>,
    app: Application,
    mut known: Vec<SettingChange>,
) {
    // the file may have been edited since `known` was read
    let mut stamp = None;
    loop {
        tokio::time::sleep(POLL_INTERVAL).await;
        let now = stamp_of(&file).await;
        if now == stamp {
            continue;
        }
        stamp = now;
        match setting_changes(&file) {
            Ok(mut changes) => {
                changes.retain(|change| !app.leaves_out(&change.target));
                // the tuner logs what it refuses; a refused setting counts as known, so that it is
                // logged once
                apply(&tuner, &known, &changes);
                known = changes;
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                tracing::warn!("no setting changes: {}", problems.join("; "));
            }
        }
    }
}

/// Changes with an edit of the file: an editor may keep the length, and a copy the time.
async fn stamp_of(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
