//! A request's body: bounded in size, in time, and in the memory that all bodies take together.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::budget::ConnectionPermit;
use crate::waiting::within;

/// Time for a whole body.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(30);

/// Bytes of a body that are received before memory for the announced length is reserved.
const UNRESERVED_BYTES: usize = 64 * 1024;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("it is larger than allowed")]
    TooLarge,
    #[error("it did not come within {} s", BODY_TIME.as_secs())]
    Timeout,
    /// The connection broke, or the body contradicts its head.
    #[error("{0}")]
    Broken(String),
    /// Bodies of other requests take all the memory there is for them. The client may retry.
    #[error("there is no room for it at the moment")]
    NoRoom,
}

/// The whole body, of `max` bytes at most. Its bytes count against the budget until the response.
pub(super) async fn read(
    body: Incoming,
    max: usize,
    permit: &ConnectionPermit,
    time_limit: bool,
) -> Result<Bytes, BodyError> {
    let reading = collect(body, max, permit);
    let read = within(time_limit.then_some(BODY_TIME), reading).await;
    read.unwrap_or(Err(BodyError::Timeout))
}

async fn collect(
    mut body: Incoming,
    max: usize,
    permit: &ConnectionPermit,
) -> Result<Bytes, BodyError> {
    let expected = usize::try_from(body.size_hint().lower())
        .unwrap_or(max)
        .min(max);
    let mut bytes = BytesMut::with_capacity(expected.min(UNRESERVED_BYTES));
    // the end of a body of known length is no frame to wait for
    while !body.is_end_stream() {
        permit.wait_for_client(Instant::now());
        let frame = body.frame().await;
        if !permit.start_request() {
            return Err(BodyError::Broken("the connection is being closed".into()));
        }
        let frame = match frame {
            None => break,
            Some(Err(error)) => return Err(BodyError::Broken(error.to_string())),
            Some(Ok(frame)) => frame,
        };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > max {
            return Err(BodyError::TooLarge);
        }
        permit
            .reserve_bytes(data.len(), Instant::now())
            .map_err(|_| BodyError::NoRoom)?;
        if bytes.len() + data.len() > bytes.capacity() {
            bytes.reserve(data.len().max(expected.saturating_sub(bytes.len())));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}
