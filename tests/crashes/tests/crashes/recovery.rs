//! Recovery after a kill, and the passing of the time to pay.

use std::time::{Duration, Instant};

use shared::sale::Status;

use crate::environment::{First, TestEnvironment};

/// Maximum time of a recovery.
const PATIENCE: Duration = Duration::from_secs(20);

impl TestEnvironment {
    /// Runs the other functions until the invariants hold.
    pub(crate) async fn recover(&self, first: First) {
        if first == First::Create {
            self.create().await;
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.all_due().await;
            self.tick().await;
            self.create().await;
            match self.check().await {
                Ok(()) => return,
                // The last command of the killed process may have arrived only now.
                Err(why) => assert!(Instant::now() < deadline, "{why}"),
            }
        }
    }

    /// Makes unpaid orders overdue.
    pub(crate) async fn overdue(&self) {
        let update =
            "UPDATE orders SET pay_by = now() - interval '1 second' WHERE status = 'unpaid'";
        sqlx::raw_sql(update)
            .execute(&self.raw)
            .await
            .expect("statement");
    }

    /// The time to pay ends: unpaid orders end and their seats are free.
    pub(crate) async fn end_time_to_pay(&self) {
        self.overdue().await;
        self.recover(First::Closer).await;
        let live = self.live().await;
        assert!(
            live.iter().all(|row| row.status == Status::Paid),
            "{live:?}"
        );
    }

    /// Refunds paid orders, so that the buyer may order again.
    pub(crate) async fn refund(&self) {
        let update = "DELETE FROM order_seats; \
            UPDATE orders SET status = 'refunded', version = version + 1, dirty = true WHERE status = 'paid'";
        sqlx::raw_sql(update)
            .execute(&self.raw)
            .await
            .expect("statement");
        self.recover(First::Closer).await;
    }
}
