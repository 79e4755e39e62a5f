//! Receipt handles: queue, number of the message, and the receive that returned it. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::change::QueueId;
use crate::error::{ApiError, ErrorKind};
use crate::message::MessageNumber;

/// The parts of a receipt handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) queue: QueueId,
    pub(super) message: MessageNumber,
    pub(super) receipt: u64,
}

impl Handle {
    pub(super) fn write(self) -> String {
        let parts = [self.queue, self.message, self.receipt].map(u64::to_be_bytes);
        STANDARD.encode(parts.concat())
    }

    /// Reads a handle of this queue.
    pub(super) fn read(text: &str, queue: QueueId) -> Result<Self, ApiError> {
        let parts = STANDARD.decode(text).ok().filter(|parts| parts.len() == 24);
        let read = parts.map(|parts| {
            let number = |at: usize| {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&parts[at * 8..][..8]);
                u64::from_be_bytes(bytes)
            };
            Self {
                queue: number(0),
                message: number(1),
                receipt: number(2),
            }
        });
        read.filter(|handle| handle.queue == queue).ok_or_else(|| {
            let message =
                format!("The input receipt handle \"{text}\" is not a valid receipt handle.");
            ApiError::new(ErrorKind::ReceiptHandleIsInvalid, message)
        })
    }
}
