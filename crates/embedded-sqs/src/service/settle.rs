//! Deletes received messages, and changes how long they are hidden. Pure.

use super::handle::Handle;
use super::{Queues, check_entries};
use crate::Millis;
use crate::change::Change;
use crate::error::{ApiError, ErrorKind, within};
use crate::limits::VISIBILITY;
use crate::queue::Queue;
use crate::request::{
    Batch, ChangeVisibility, ChangeVisibilityEntry, DeleteMessage, DeleteMessageEntry,
};
use crate::response::{BatchResult, EntryId, Response};

impl Queues {
    pub(super) fn delete_message(
        &mut self,
        delete: &DeleteMessage,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(&delete.queue_url)?;
        remove(queue, changes, &delete.receipt_handle, now)?;
        Ok(Response::DONE)
    }

    pub(super) fn delete_message_batch(
        &mut self,
        batch: &Batch<DeleteMessageEntry>,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(&batch.queue_url)?;
        check_entries(batch.entries.iter().map(|entry| entry.id.as_str()))?;
        let removed = batch.entries.iter().map(|entry| {
            let removed = remove(queue, changes, &entry.receipt_handle, now);
            by_id(&entry.id, removed)
        });
        Ok(Response::Batch(BatchResult::of(removed)))
    }

    pub(super) fn change_visibility(
        &mut self,
        change: &ChangeVisibility,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(&change.queue_url)?;
        let seconds = change.visibility_timeout;
        hide(queue, changes, &change.receipt_handle, seconds, now)?;
        Ok(Response::DONE)
    }

    pub(super) fn change_visibility_batch(
        &mut self,
        batch: &Batch<ChangeVisibilityEntry>,
        now: Millis,
    ) -> Result<Response, ApiError> {
        let (queue, changes) = self.queue(&batch.queue_url)?;
        check_entries(batch.entries.iter().map(|entry| entry.id.as_str()))?;
        let hidden = batch.entries.iter().map(|entry| {
            let seconds = entry.visibility_timeout;
            let hidden = hide(queue, changes, &entry.receipt_handle, seconds, now);
            by_id(&entry.id, hidden)
        });
        Ok(Response::Batch(BatchResult::of(hidden)))
    }
}

fn by_id(id: &str, applied: Result<(), ApiError>) -> (String, Result<EntryId, ApiError>) {
    let entry = EntryId { id: id.to_owned() };
    (id.to_owned(), applied.map(|()| entry))
}

/// Deletes a message by the handle of its last receive. A standard queue accepts the handle of an
/// earlier receive as well, and then deletes nothing ("`DeleteMessage`"). A FIFO queue refuses a
/// handle whose visibility timeout has passed.
fn remove(
    queue: &mut Queue,
    changes: &mut Vec<Change>,
    handle: &str,
    now: Millis,
) -> Result<(), ApiError> {
    let read = Handle::read(handle, queue.id)?;
    let Some(message) = queue.get(read.message) else {
        return Ok(());
    };
    let is_last = message.delivery.receipt == read.receipt;
    if queue.is_fifo() && !(is_last && message.is_in_flight(now)) {
        let reason = "The receipt handle has expired.";
        return Err(ApiError::value(handle, "ReceiptHandle", reason));
    }
    if is_last {
        queue.remove(read.message, changes);
    }
    Ok(())
}

/// Hides a message for this long from now on. A message is hidden for at most 12 hours after its
/// receive.
fn hide(
    queue: &mut Queue,
    changes: &mut Vec<Change>,
    handle: &str,
    seconds: i64,
    now: Millis,
) -> Result<(), ApiError> {
    let hidden = within("VisibilityTimeout", seconds, &VISIBILITY)? * 1000;
    let read = Handle::read(handle, queue.id)?;
    let Some(message) = queue.get(read.message) else {
        let reason = "Message does not exist or is not available for visibility timeout change.";
        return Err(ApiError::value(handle, "ReceiptHandle", reason));
    };
    if message.delivery.receipt != read.receipt || !message.is_in_flight(now) {
        let message = "The specified message isn't in flight.";
        return Err(ApiError::new(ErrorKind::MessageNotInflight, message));
    }
    let max = VISIBILITY.end().unsigned_abs() * 1000;
    if now + hidden > message.delivery.last_received + max {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].";
        return Err(ApiError::value(seconds, "VisibilityTimeout", reason));
    }
    queue.deliver(read.message, changes, |delivery| {
        delivery.visible_at = now + hidden;
    });
    Ok(())
}
