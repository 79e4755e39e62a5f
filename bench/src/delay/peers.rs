//! The peers of the delay queue.

use std::path::Path;

use anyhow::Result;
use ticket_rush::locations::Checkout;

use super::Report;
use crate::peers::{Built, MAVEN, NotBuilt, Peer};
use crate::redis_server::{Persistence, RedisServer};

/// A peer and how it is run.
#[derive(Debug, Clone, Copy)]
pub(super) struct DelayPeer {
    peer: Peer,
    /// It leases entries and acknowledges each.
    acknowledges: bool,
    /// A column for each, with what `POLL` is in it.
    columns: &'static [(&'static str, &'static str)],
}

/// The measured peers.
pub(super) const ALL: [DelayPeer; 3] = [
    DelayPeer {
        peer: Peer {
            name: "BullMQ 6.7 (Node)",
            folder: "bullmq",
            needs: &[&["node", "--version"], &["npm", "--version"]],
        },
        acknowledges: true,
        columns: &[("BullMQ", "")],
    },
    DelayPeer {
        peer: Peer {
            name: "asynq 0.26 (Go)",
            folder: "asynq",
            needs: &[&["go", "version"]],
        },
        acknowledges: true,
        columns: &[("asynq", "")],
    },
    DelayPeer {
        peer: Peer {
            name: "Redisson 4.7 (Java)",
            folder: "redisson",
            needs: MAVEN,
        },
        acknowledges: false,
        columns: &[("Redisson", "1"), ("Redisson 1k", "1000")],
    },
];

/// A peer after its build.
pub(super) struct BuiltPeer {
    of: DelayPeer,
    built: Result<Built, NotBuilt>,
}

/// The figures of a column.
pub(super) struct PeerRun {
    pub(super) column: &'static str,
    pub(super) acknowledges: bool,
    pub(super) report: Report,
}

impl DelayPeer {
    pub(super) async fn build(self, checkout: &Checkout) -> Result<BuiltPeer> {
        let built = self.peer.build(checkout).await?;
        Ok(BuiltPeer { of: self, built })
    }
}

impl BuiltPeer {
    pub(super) async fn runs(
        &self,
        folder: &Path,
        persistence: Persistence,
        entries: u32,
        paced: u32,
    ) -> Result<Vec<PeerRun>> {
        let mut runs = Vec::new();
        let Ok(built) = &self.built else {
            return Ok(runs);
        };
        for (column, poll) in self.of.columns {
            let server = RedisServer::start(folder, persistence).await?;
            let settings = [
                ("PORT", server.port().to_string()),
                ("ENTRIES", entries.to_string()),
                ("PACED", paced.to_string()),
                ("POLL", (*poll).to_owned()),
            ];
            let settings = settings.each_ref().map(|(name, value)| (*name, &**value));
            let report = built.report(&settings).await?;
            server.stop().await?;
            runs.push(PeerRun {
                column,
                acknowledges: self.of.acknowledges,
                report,
            });
        }
        Ok(runs)
    }

    pub(super) fn print_if_skipped(&self) {
        if let Err(why) = &self.built {
            self.of.peer.print_skipped(why);
        }
    }
}
