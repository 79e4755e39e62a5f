//! From an event of the gateway to a route, from an answer to a response.

mod cursor;
mod fields;
mod problem;
mod reply;
mod request;
mod route;
mod time;

pub(crate) use cursor::Cursor;
pub use fields::{Fields, Unreadable};
pub use problem::Problem;
pub use reply::Reply;
pub use request::{Call, MAX_BODY_BYTES, MAX_WAIT};
pub use route::Route;
pub(crate) use time::time;
