//! Settings that may be changed while a host runs: pure rules, no I/O, no clock.
//!
//! A [`SettingChange`] ("batch size of `OrderCreate`: 500") comes from the command line, the page
//! or usher.toml. `settings` holds every setting, checks a change against the template's bounds
//! (`value`) and returns what changed, or why nothing did; `file` derives the changes from an edit
//! of usher.toml. `source` is what a kind of source says of its settings, with its own rule about
//! batches. The caller then sends [`TunableSettings::sources`] to the sources, or the new limit to
//! the pool.
//!
//! Promises: a refused change has no effect; every applied change is kept with its author, the old
//! value and the new one; what is not set here stays as in the template.

mod error;
mod file;
mod partitions;
mod settings;
mod source;
mod value;

pub use error::{LogError, SettingError, ValueError};
pub use event_sources::SourceSettings;
pub use file::changes_between;
pub use sam_template::project::{HOST, SettingChange};
pub use settings::{AppliedChange, SettingView, TunableSettings};
pub use source::{BatchRefusal, BatchRule, BatchSettings, TunableSource};
pub use value::{Milliseconds, Setting, SettingTarget, SettingValue};
