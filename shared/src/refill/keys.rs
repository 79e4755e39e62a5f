//! Restores clients' keys from their orders, so that a request that is repeated after the loss
//! leads to its order. Without the key it would create a second order, which order-create rejects
//! as a duplicate.

use super::position::FillPosition;
use super::{GateFilling, LEASE_MS, RefillError, Step};
use crate::gate::NamedOrder;
use crate::message::{OrderNumber, Shard};
use crate::sale::key_ttl_ms;
use crate::store::KeyedOrder;

/// Orders per page.
const PAGE: u32 = 2_000;

impl GateFilling<'_> {
    /// Restores one page of ended orders. The keys of live orders are restored with their seats.
    pub(super) async fn restore_keys(
        &self,
        after: Option<OrderNumber>,
    ) -> Result<Step, RefillError> {
        // Skips orders that are older than any key.
        let ttl_ms = key_ttl_ms(self.program.pay_window_ms);
        let oldest = self.gate.now_ms().await?.saturating_sub(ttl_ms);
        let oldest = OrderNumber::compose(oldest, Shard::FIRST, 0).ok();
        let page = self
            .during(
                self.store
                    .keyed_ended(self.program.id, after.max(oldest), PAGE),
            )
            .await?;
        if !self.name(&page).await? {
            return Ok(Step::Stale);
        }
        let last = page.last().filter(|_| page.len() == PAGE as usize);
        Ok(Step::To(last.map_or(FillPosition::Done, |row| {
            FillPosition::Keys(Some(row.number))
        })))
    }

    /// Stores these keys in the gate unless they have expired. Returns whether this loader still
    /// holds the lease.
    pub(super) async fn name(&self, rows: &[KeyedOrder]) -> Result<bool, RefillError> {
        if rows.is_empty() {
            return Ok(true);
        }
        let now_ms = self.gate.now_ms().await?;
        let ttl_ms = key_ttl_ms(self.program.pay_window_ms);
        let named: Vec<NamedOrder> = rows
            .iter()
            .filter_map(|row| named(row, now_ms, ttl_ms))
            .collect();
        Ok(self
            .gate
            .install_keys(self.at, self.loader, LEASE_MS, &named)
            .await?)
    }
}

/// `None` if the key has expired. Its lifetime starts with the order, as in reserve. Pure.
fn named(row: &KeyedOrder, now_ms: u64, ttl_ms: u64) -> Option<NamedOrder> {
    let left_ms = row
        .number
        .made_at_ms()
        .saturating_add(ttl_ms)
        .checked_sub(now_ms)
        .filter(|ms| *ms > 0)?;
    Some(NamedOrder {
        user: row.user.clone(),
        key: row.key.clone(),
        order: row.number,
        nonce: row.nonce,
        body_hash: row
            .body_hash
            .map(|hash| hash.to_string())
            .unwrap_or_default(),
        ttl_ms: left_ms.min(ttl_ms),
    })
}
