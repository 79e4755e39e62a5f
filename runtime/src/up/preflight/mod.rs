//! Preflight checks: all that is known to be wrong before anything starts, in one message.
//!
//! [`contradictions`] needs no executables: `usher up` reports that list before it builds, and
//! `usher doctor` shows it. [`missing`] checks the servers and ports around the application.

mod servers;

use crate::http::{self, KeyStore, RefreshIntervals};
use crate::sources;
use crate::tuning::{TunableSettings, changes_between};
use crate::up::error::StartError;
use crate::up::options::HostOptions;
use sam_template::model::{Api, Application};
use sam_template::project::{Project, SETTINGS, SettingChange};

pub use servers::{missing, probe};

pub(super) async fn check(app: &Application, options: &HostOptions) -> Result<(), StartError> {
    let changes = options
        .settings
        .as_ref()
        .map_or(&[][..], |(_, changes)| changes);
    let mut problems = executables(app, options);
    problems.extend(contradictions(
        app,
        changes,
        options.pool.default_concurrency,
    ));
    problems.extend(
        app.apis
            .iter()
            .filter_map(|api| http::check(api, options.keys.is_some()).err()),
    );
    problems.extend(missing(app, &options.endpoints(app)).await);
    if problems.is_empty() {
        return Ok(());
    }
    Err(StartError::Preflight(problems))
}

fn executables(app: &Application, options: &HostOptions) -> Vec<String> {
    let mut problems = Vec::new();
    for id in app.functions.keys() {
        match options.executables.get(id) {
            None => problems.push(format!("function {id} has no executable: build it first")),
            Some(path) if !path.is_file() => {
                problems.push(format!(
                    "function {id}: {} is not a file: build it first",
                    path.display()
                ));
            }
            Some(_) => {}
        }
    }
    problems
}

/// Contradictions within an application, or with the `[settings]` that it starts with; a sentence
/// each. `concurrency`: the limit of a function that reserves none. Pure.
pub fn contradictions(
    app: &Application,
    changes: &[SettingChange],
    concurrency: usize,
) -> Vec<String> {
    let short = app
        .functions
        .values()
        .filter(|function| function.timeout.is_zero());
    let mut problems: Vec<String> = short
        .map(|function| format!("function {}: Timeout must be 1 to 900 s", function.id))
        .collect();
    problems.extend(refused_settings(app, changes, concurrency));
    problems.extend(sources::contradictions(app));
    problems
}

/// The keys for the authorizers of all APIs. `None`: no API has an authorizer.
///
/// # Errors
/// Why there are no keys; a sentence each.
pub async fn keys(project: &Project, app: &Application) -> Result<Option<KeyStore>, Vec<String>> {
    let guarded = |api: &Api| api.routes.iter().any(|route| route.authorizer.is_some());
    if !app.apis.iter().any(guarded) {
        return Ok(None);
    }
    let Some(source) = project.jwks.clone() else {
        let unchecked = app
            .apis
            .iter()
            .filter_map(|api| http::check(api, false).err());
        return Err(unchecked.collect());
    };
    let loaded = KeyStore::load(source, RefreshIntervals::default()).await;
    loaded.map(Some).map_err(|wrong| vec![wrong])
}

/// Settings that the running host would refuse; a sentence each.
fn refused_settings(
    app: &Application,
    changes: &[SettingChange],
    concurrency: usize,
) -> Vec<String> {
    let mut settings = TunableSettings::new(sources::tunable(app), app, concurrency, "", false);
    let changes = changes_between(&[], changes, &settings);
    let refused = changes
        .iter()
        .filter_map(|change| settings.apply(0, SETTINGS, change).err());
    refused
        .map(|why| format!("{SETTINGS} [settings]: {why}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_settings_are_reported_before_the_start() {
        let change = |target: &str, setting: &str, value: &str| SettingChange {
            target: target.into(),
            setting: setting.into(),
            value: value.into(),
        };
        let app = Application::default();
        assert_eq!(
            contradictions(&app, &[change("host", "log", "debug")], 1),
            Vec::<String>::new()
        );
        let problems = contradictions(
            &app,
            &[
                change("Nowhere", "batch-size", "5"),
                change("host", "lag", "1"),
            ],
            1,
        );
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems
                .iter()
                .all(|why| why.starts_with("usher.toml [settings]: ")),
            "{problems:?}"
        );
    }
}
