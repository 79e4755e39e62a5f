//! Random identifiers in the forms that Lambda uses.

use std::time::SystemTime;

use crate::clock::epoch_ms;

/// A UUID, version 4.
pub(crate) fn new_id() -> String {
    let mut bytes: [u8; 16] = rand::random();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex::encode(bytes);
    let parts = [
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..],
    ];
    parts.join("-")
}

/// 32 hexadecimal digits, as API Gateway's request ids are here.
pub(crate) fn new_hex_id() -> String {
    hex::encode(rand::random::<[u8; 16]>())
}

/// A trace id in X-Ray's form, not sampled.
pub(crate) fn new_trace_id() -> String {
    let seconds = epoch_ms(SystemTime::now()) / 1000;
    let root: [u8; 12] = rand::random();
    let parent: [u8; 8] = rand::random();
    format!(
        "Root=1-{seconds:08x}-{};Parent={};Sampled=0",
        hex::encode(root),
        hex::encode(parent)
    )
}
