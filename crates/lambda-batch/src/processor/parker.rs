//! Where parked records go.

use std::fmt::Display;
use std::future::Future;

use crate::{EventBatch, Reason};

/// Stores a record that cannot be handled, with the reason, for an operator to look at.
///
/// A record counts as parked, and may be acknowledged, once [`Self::park`] has returned `Ok`: by
/// then it must be durable. The same record may be parked twice, if the response that
/// acknowledged it is lost.
pub trait Parker<B: EventBatch> {
    /// Why a record could not be stored. The record is then delivered again.
    type Error: Display;

    /// Stores the record `batch.record(index)`.
    fn park(
        &self,
        batch: &B,
        index: usize,
        reason: &Reason,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;
}

/// Parks nothing: a record that cannot be handled is reported as failed each time, until the
/// redrive policy of its queue or the on-failure destination of its mapping takes it.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoParker;

/// The processor has no parker.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the processor has no parker")]
pub struct NotParked;

impl<B: EventBatch> Parker<B> for NoParker {
    type Error = NotParked;

    async fn park(&self, _: &B, _: usize, _: &Reason) -> Result<(), NotParked> {
        Err(NotParked)
    }
}
