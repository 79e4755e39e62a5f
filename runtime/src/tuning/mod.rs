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

use std::collections::BTreeSet;
use std::time::Duration;

use crate::mapping::Partition;

pub use file::edited;
pub use settings::{Change, Settings, Shown};
pub use sam_template::project::{HOST, SettingChange as Wish};
pub use value::{Knob, Subject, Value};

/// What a mapping is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceSettings {
    /// Records or messages in one invocation at most.
    pub batch_size: usize,
    /// Most time to wait for a full batch.
    pub window: Duration,
    /// Invocations at one time at most, as the function has them.
    pub concurrency: usize,
    /// Start no invocation; stay in the group.
    pub paused: bool,
    /// The same for these partitions of a Kafka mapping.
    pub paused_partitions: BTreeSet<Partition>,
}
