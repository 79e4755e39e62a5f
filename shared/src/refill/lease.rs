//! The loader's lease on a filling.

use std::pin::pin;
use std::time::Duration;

use super::position::FillPosition;
use super::{GateFilling, LEASE_MS, RefillError};
use crate::store::StoreError;

/// Interval of renewals while a page is read.
const RENEW_EVERY: Duration = Duration::from_millis(LEASE_MS / 3);

impl GateFilling<'_> {
    /// Awaits a read from Postgres and renews the lease meanwhile. The loader's next write fails if
    /// the lease was lost.
    pub(super) async fn during<T>(
        &self,
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, RefillError> {
        self.while_leased(async { Ok(reading.await?) }).await
    }

    /// As [`Self::during`], for work that also writes: another loader may do the same at the same
    /// time.
    pub(super) async fn while_leased<T>(
        &self,
        work: impl Future<Output = Result<T, RefillError>>,
    ) -> Result<T, RefillError> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(RENEW_EVERY) => {
                    self.gate.install_renew(self.at, self.loader, LEASE_MS, None).await?;
                }
            }
        }
    }

    /// Renews the lease and stores the position. Returns whether this loader still holds the lease.
    pub(super) async fn note(&self, position: &FillPosition) -> Result<bool, RefillError> {
        Ok(self
            .gate
            .install_renew(self.at, self.loader, LEASE_MS, Some(&position.to_string()))
            .await?)
    }

    /// Ends the lease, so that another loader can continue at once.
    pub(super) async fn give_back(&self) -> Result<(), RefillError> {
        self.gate
            .install_renew(self.at, self.loader, 1, None)
            .await?;
        Ok(())
    }
}
