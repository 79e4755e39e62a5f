//! Servers and the links to them.

use std::time::Duration;

use anyhow::Result;
use testkit::link::Condition;
use tokio::time::sleep;

use super::Target;
use crate::kind::Server;

/// Latency of a delayed link in each direction: that of two regions.
const LATENCY: Duration = Duration::from_millis(80);

impl Target {
    pub(super) async fn kill_server(&self, server: Server, lasts: Duration) -> Result<String> {
        self.servers.kill(server).await;
        sleep(lasts).await;
        self.servers.start_again(server).await?;
        Ok("it answers again".to_owned())
    }

    pub(super) async fn freeze_server(&self, server: Server, lasts: Duration) -> Result<String> {
        self.servers.freeze(server).await;
        sleep(lasts).await;
        self.servers.thaw(server).await;
        Ok(format!("stopped for {lasts:?}"))
    }

    pub(super) async fn cut(&self, server: Server, lasts: Duration) -> Result<String> {
        self.condition(server, Condition::Cut, lasts).await;
        Ok(format!("cut for {lasts:?}"))
    }

    pub(super) async fn hold(&self, server: Server, lasts: Duration) -> Result<String> {
        self.condition(server, Condition::Held, lasts).await;
        Ok(format!("held for {lasts:?}"))
    }

    pub(super) async fn delay(&self, server: Server, lasts: Duration) -> Result<String> {
        self.condition(server, Condition::Delayed(LATENCY), lasts)
            .await;
        Ok(format!("{LATENCY:?} in each direction for {lasts:?}"))
    }

    pub(super) fn half_open(&self, server: Server) -> String {
        self.servers.link(server).forget();
        "existing connections are silent".to_owned()
    }

    async fn condition(&self, server: Server, condition: Condition, lasts: Duration) {
        let link = self.servers.link(server);
        link.set(condition);
        sleep(lasts).await;
        link.set(Condition::Open);
    }
}
