//! The port to the payment provider: [`RefundProvider`] returns money. [`HttpProvider`] is its
//! adapter.

mod http;

use async_trait::async_trait;
use shared::message::{Cents, OrderNumber};
use shared::store::RefundId;

pub use http::{HttpProvider, HttpProviderSettings};

/// Returns money to buyers.
#[async_trait]
pub trait RefundProvider: Send + Sync {
    /// Returns an amount of a payment. A repetition with the same key returns nothing more, and has
    /// the answer of the first.
    ///
    /// # Errors
    /// The provider has not answered, or not with a decision. It may have returned the money.
    async fn refund(&self, refund: &ProviderRefund<'_>) -> Result<ProviderAnswer, ProviderError>;
}

/// What the provider is to return.
#[derive(Debug, Clone, Copy)]
pub struct ProviderRefund<'a> {
    /// Identity of the refund.
    pub id: RefundId,
    /// The provider's reference of the payment.
    pub payment: &'a str,
    /// The order that the payment was for.
    pub order: OrderNumber,
    /// Amount to return.
    pub amount: Cents,
    /// The same for every attempt, another for every refund.
    pub idempotency_key: &'a str,
}

/// A decision of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderAnswer {
    /// The money is returned.
    Refunded {
        /// The provider's reference of the refund.
        reference: String,
    },
    /// The money will not be returned.
    Refused {
        /// Why, for the operator.
        reason: String,
    },
    /// The provider has accepted the refund and has not decided yet: ask again later.
    Pending,
}

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// No connection, no answer in time, or an answer that cannot be read.
    #[error("{0}")]
    Unreachable(#[from] shared::https::HttpsError),
    /// The keys that sign requests cannot be read.
    #[error("{0}")]
    Keys(#[from] shared::access::SourceError),
    /// An answer that decides nothing: another status code, or a body of another form.
    #[error("the provider answered {status}: {body}")]
    Undecided {
        /// HTTP status code.
        status: u16,
        /// The begin of its body, without control characters.
        body: String,
    },
}
