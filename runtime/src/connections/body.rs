//! A request's body: bounded in size, in time, and in the memory that all bodies take together.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

use super::places::Place;

/// A body must have come by then.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(30);

/// Memory is set aside for a whole body only after so many bytes of it have come.
const FIRST: usize = 64 * 1024;

/// Why there is no body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// More bytes than allowed.
    #[error("it is larger than allowed")]
    TooLarge,
    /// It did not come within [`BODY_TIME`].
    #[error("it did not come within {} s", BODY_TIME.as_secs())]
    Slow,
    /// The connection broke, or the body is not what its head says.
    #[error("{0}")]
    Broken(String),
    /// Bodies of other requests take all the memory there is for them. To be tried again.
    #[error("there is no room for it at the moment")]
    NoRoom,
}

/// The whole body, of `most` bytes at most. Its bytes count until the request is answered.
pub(crate) async fn read(body: Incoming, most: usize, place: &Place) -> Result<Bytes, Unread> {
    tokio::time::timeout(BODY_TIME, collect(body, most, place))
        .await
        .unwrap_or(Err(Unread::Slow))
}

async fn collect(mut body: Incoming, most: usize, place: &Place) -> Result<Bytes, Unread> {
    let expected = usize::try_from(body.size_hint().lower())
        .unwrap_or(most)
        .min(most);
    let mut bytes = BytesMut::with_capacity(expected.min(FIRST));
    loop {
        place.waits(Instant::now());
        let frame = body.frame().await;
        if !place.works() {
            return Err(Unread::Broken("the connection is being closed".into()));
        }
        match frame {
            None => return Ok(bytes.freeze()),
            Some(Err(error)) => return Err(Unread::Broken(error.to_string())),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if bytes.len() + data.len() > most {
                    return Err(Unread::TooLarge);
                }
                place
                    .hold(data.len(), Instant::now())
                    .map_err(|_| Unread::NoRoom)?;
                if bytes.len() + data.len() > bytes.capacity() {
                    bytes.reserve(data.len().max(expected.saturating_sub(bytes.len())));
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}
