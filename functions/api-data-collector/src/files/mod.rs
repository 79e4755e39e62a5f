//! Calls as Parquet files, for analysis elsewhere.
//!
//! ```text
//! new calls --encode--> file --transaction of the batch--> row in the manifest, object
//! upkeep: old hours expire; removed objects are deleted; small files --merge--> a larger one;
//!         manifest.json
//! ```
//!
//! Which files have calls is decided by rows of Postgres (`shared::api_calls`), each changed in one
//! transaction. Objects are written before the commit and deleted long after one. `manifest.json` is
//! a copy of the rows.

mod encode;
mod http;
mod manifest;
mod merge;
mod schema;
mod settings;
mod store;
mod upkeep;

pub use schema::{SCHEMA, SCHEMA_VERSION};
pub use settings::{FileSettings, PlaceError};
pub use store::FileStore;
pub use upkeep::{MANIFEST, Upkeep, run};
