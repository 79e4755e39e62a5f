//! What a consumer needs of Kafka and rdkafka has no safe API for: headers of a message as bytes, and the ids of topics.
//!
//! Kafka's format says that the name of a header is UTF-8, and no broker checks it. The API of rdkafka takes every name for UTF-8 and panics
//! at one that is not, so a single record ends the thread that reads it. A topic that is deleted and created again has the same name and
//! another id, which rdkafka does not show. This crate calls librdkafka itself. It is the only crate of the workspace with `unsafe` code, all
//! of it in [`headers`] and [`topic_id`].

mod topic_id;

use std::ffi::CStr;
use std::ptr;

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::BorrowedMessage;
use rdkafka::types::RDKafkaRespErr;
pub use topic_id::topic_id;

/// One header of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'m> {
    /// The bytes of its name, UTF-8 or not. librdkafka returns a C string, so a name that contains a NUL ends before it.
    pub name: &'m [u8],
    /// The bytes of its value; `None` where the record has null.
    pub value: Option<&'m [u8]>,
}

/// The headers of a consumed message, in their order; an empty list where it has none.
///
/// # Errors
/// librdkafka cannot read the headers of this message: they break Kafka's format.
#[allow(
    unsafe_code,
    reason = "rdkafka has no API for a header name that is not UTF-8"
)]
pub fn headers<'m>(message: &'m BorrowedMessage<'_>) -> Result<Vec<Header<'m>>, RDKafkaErrorCode> {
    let mut list = ptr::null_mut();
    // SAFETY: `message` holds a valid message for as long as it is borrowed. librdkafka parses the headers at the first call and keeps
    // them within the message, as it does for rdkafka's own `Message::headers`, which makes the same call through a shared reference.
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
        // SAFETY: `list` was set by the successful call above and belongs to the message. The three others are valid places to write to.
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
            // the index is behind the last header
            return Ok(headers);
        }
        // SAFETY: after a successful call `name` is a NUL-terminated string within the list, and `value` is null or points to `size` bytes
        // within it. The list is destroyed with the message, which outlives `'m`, and is not written to after it was parsed.
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
