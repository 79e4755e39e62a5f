//! JSON in which a struct is an object.
//!
//! The code that serde derives for a struct takes an array as well and assigns its items to the fields in their order:
//! `["a", 3]` would be read as `{"id": "a", "seats": 3}`. No interface of this repository is documented so. The functions
//! of this crate read like those of `serde_json` with the same names, except that a struct, at any depth, is read from an object only.
//!
//! Tuples, lists, maps and [`serde_json::Value`] are not affected. Contents that serde buffers first (`untagged`, `flatten`,
//! internally tagged enums) are not reached: such types check by themselves.
//!
//! ```
//! #[derive(serde::Deserialize, Debug)]
//! struct Seat {
//!     row: u32,
//! }
//! assert_eq!(strict_json::from_str::<Vec<Seat>>(r#"[{"row": 1}]"#).unwrap()[0].row, 1);
//! assert!(strict_json::from_str::<Vec<Seat>>("[[1]]").is_err());
//! assert!(serde_json::from_str::<Vec<Seat>>("[[1]]").is_ok());
//! ```

mod access;
mod objects;

#[cfg(test)]
mod tests;

pub use objects::Objects;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Reads a value from bytes that hold one JSON text.
///
/// # Errors
/// As `serde_json::from_slice`, and for an array where a struct is expected.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end().map(|()| value)
}

/// Reads a value from one JSON text.
///
/// # Errors
/// As `serde_json::from_str`, and for an array where a struct is expected.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end().map(|()| value)
}

/// Reads a value from JSON of any shape.
///
/// # Errors
/// As `serde_json::from_value`, and for an array where a struct is expected.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> serde_json::Result<T> {
    T::deserialize(Objects(value))
}
