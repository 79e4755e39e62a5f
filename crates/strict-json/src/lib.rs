#![doc = include_str!("../README.md")]

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
/// As for `serde_json::from_slice`; also if a struct is read from an array.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end().map(|()| value)
}

/// Reads a value from one JSON text.
///
/// # Errors
/// As for `serde_json::from_str`; also if a struct is read from an array.
pub fn from_str<'de, T: Deserialize<'de>>(text: &'de str) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = T::deserialize(Objects(&mut deserializer))?;
    deserializer.end().map(|()| value)
}

/// Converts a JSON value.
///
/// # Errors
/// As for `serde_json::from_value`; also if a struct is read from an array.
pub fn from_value<T: DeserializeOwned>(value: serde_json::Value) -> serde_json::Result<T> {
    T::deserialize(Objects(value))
}
