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

pub use event_sources::SourceSettings;
pub use file::edited;
pub use sam_template::project::{HOST, SettingChange as Wish};
pub use settings::{Change, Settings, Shown};
pub use value::{Knob, Subject, Value};
