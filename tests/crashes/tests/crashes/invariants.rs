//! What must hold once all functions have recovered: gate and Postgres agree.

use std::collections::BTreeSet;

use shared::gate::ProgramRef;
use shared::message::{OrderNumber, SeatIndex};
use shared::sale::Status;
use shared::store::OrderRow;

use crate::environment::{SEATS, TestEnvironment};

impl TestEnvironment {
    /// Checks that gate and Postgres agree.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let live = self.live().await;
        let stored: BTreeSet<(SeatIndex, OrderNumber, [u8; 16])> = live
            .iter()
            .flat_map(|row| {
                row.seats
                    .iter()
                    .map(|seat| (*seat, row.number, row.nonce.bytes()))
            })
            .collect();
        let owned = self.owned().await;
        same("seats owned in the gate, and in Postgres", &owned, &stored)?;
        same(
            "free seats",
            &(self.free().await as usize),
            &(SEATS as usize - owned.len()),
        )?;
        let unpaid: BTreeSet<String> = live
            .iter()
            .filter(|row| row.status == Status::Unpaid)
            .map(|row| row.number.to_string())
            .collect();
        same(
            "orders with a timeout entry, and unpaid ones",
            &self.entries().await,
            &unpaid,
        )?;
        same(
            "dirty rows",
            &self
                .app
                .store
                .dirty(None, 100)
                .await
                .expect("Postgres runs"),
            &vec![],
        )
    }

    pub(crate) async fn live(&self) -> Vec<OrderRow> {
        self.app
            .store
            .live_orders(self.program.id, None, 1_000)
            .await
            .expect("Postgres runs")
            .orders
    }

    async fn owned(&self) -> BTreeSet<(SeatIndex, OrderNumber, [u8; 16])> {
        let page = self
            .app
            .gate
            .taken(ProgramRef::from(&self.program), 0)
            .await
            .expect("Redis runs");
        assert_eq!(page.next, None, "they fit on one page");
        page.taken
            .into_iter()
            .map(|taken| (taken.seat, taken.order, taken.nonce.bytes()))
            .collect()
    }

    async fn free(&self) -> u32 {
        let at = ProgramRef::from(&self.program);
        self.app
            .gate
            .availability(at)
            .await
            .expect("Redis runs")
            .expect("installed")
            .free[0]
            .1
    }

    pub(crate) async fn entries(&self) -> BTreeSet<String> {
        let key = self
            .app
            .settings
            .names
            .shard_key(self.program.shard, "delay:order-timeout:due");
        let mut command = redis::cmd("ZRANGE");
        command.arg(key).arg(0).arg(-1);
        command
            .query_async(&mut self.redis.clone())
            .await
            .expect("Redis runs")
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?}, {expected:?}"))
    }
}
