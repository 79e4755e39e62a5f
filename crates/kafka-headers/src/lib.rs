#![doc = include_str!("../README.md")]

mod login;
mod topic_id;

use std::ffi::CStr;
use std::ptr;

pub use login::set_login;
use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
pub use topic_id::topic_id;

/// One header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'m> {
    /// Name, not necessarily UTF-8. librdkafka returns a C string: a NUL byte ends the name.
    pub name: &'m [u8],
    /// Value; `None` if it is null.
    pub value: Option<&'m [u8]>,
}

/// The headers of a consumed message, in order; empty if it has none.
///
/// # Errors
/// The headers of this message are malformed.
#[allow(
    unsafe_code,
    reason = "rdkafka has no API for a header name that is not UTF-8"
)]
pub fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Result<Vec<Header<'m>>, RDKafkaErrorCode> {
    let mut list = ptr::null_mut();
    // SAFETY: `message` is valid while it is borrowed. librdkafka parses the headers at the first
    // call and keeps them within the message, as it does for rdkafka's `Message::headers`, which
    // makes the same call through a shared reference.
    let found = unsafe { rd_kafka_message_headers(message.ptr(), &raw mut list) };
    match found {
        RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {}
        RDKafkaRespErr::RD_KAFKA_RESP_ERR__NOENT => return Ok(Vec::new()),
        error => return Err(error.into()),
    }
    let mut headers = Vec::new();
    loop {
        let mut name = ptr::null();
        let mut value = ptr::null();
        let mut size = 0;
        // SAFETY: the successful call above set `list`, which belongs to the message. The other
        // three pointers are valid for writes.
        let got = unsafe {
            rd_kafka_header_get_all(
                list,
                headers.len(),
                &raw mut name,
                &raw mut value,
                &raw mut size,
            )
        };
        if got != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            // the index is after the last header
            return Ok(headers);
        }
        // SAFETY: after a successful call `name` is a NUL-terminated string within the list, and
        // `value` is null or points to `size` bytes within it. The list is destroyed with the
        // message, which outlives `'m`, and is not written to after it was parsed.
        let header = unsafe {
            Header {
                name: CStr::from_ptr(name).to_bytes(),
                value: (!value.is_null())
                    .then(|| std::slice::from_raw_parts(value.cast::<u8>(), size)),
            }
        };
        headers.push(header);
    }
}
