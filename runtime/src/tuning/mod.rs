//! Settings that may be changed while a host runs: pure rules, no I/O, no clock.
//!
//! A wish ([`Wish`]: "`OrderCreate`'s batch size, 500") comes from the command line, the page or usher.toml. `settings` knows what
//! there is to set, checks the wish by the template's own bounds (`value`) and says what changed, or why nothing did; `file`
//! tells which wishes an edit of usher.toml comes to. Whoever asked then hands [`Settings::for_source`] to the mapping, or the new
//! limit to the pool.
//!
//! Promises: a wish that is refused changes nothing; every change is remembered with who made it, the old value and the new one;
//! what is not set here stays as the template has it.

mod file;
mod partitions;
mod settings;
mod value;

use serde::{Deserialize, Serialize};

pub use event_sources::SourceSettings;
pub use file::edited;
pub use settings::{Change, Settings, Shown};
pub use value::{Knob, Subject, Value};

/// The name of the host itself among the targets.
pub const HOST: &str = "host";

/// What somebody wants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Logical id of a mapping or a function, or [`HOST`].
    pub target: String,
    /// Name of the setting.
    pub setting: String,
    /// The value, as written.
    pub value: String,
}
