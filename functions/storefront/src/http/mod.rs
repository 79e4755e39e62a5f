//! Requests, routes, their classes, replies and problems.

mod class;
mod cursor;
mod event;
mod fields;
mod problem;
mod reply;
mod request;
mod route;
mod time;

pub use class::{RequestClass, ServedClasses, UnknownClass};
pub(crate) use cursor::Cursor;
pub use event::{HttpEvent, HttpResponse};
pub use fields::{FieldError, Fields};
pub use problem::Problem;
pub use reply::Reply;
pub(crate) use request::is_line;
pub use request::{Call, MAX_BODY_BYTES, MAX_WAIT};
pub use route::Route;
pub use time::now_ms;
pub(crate) use time::time;
