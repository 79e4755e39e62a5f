//! A round of admission: decided by the rule, ended in Redis. It needs no process of its own: a
//! request of those who wait runs it.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::gate::{GrantedRound, ProgramRef};
use shared::message::AdmissionRate;
use shared::sale::{OrderBacklog, Program, admission_round};
use shared::store::Progress;
use shared::telemetry::MetricLine;
use tokio::time::timeout;

use crate::app::App;
use crate::kafka::LogRanges;

/// How long a request waits for the state of order-create. Without it no buyer is admitted.
const BACKLOG_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs a round that this request has been granted. A failure is logged, and a later round admits
/// those whom this one has not.
pub(super) async fn run(app: &App, program: &Program, rate: AdmissionRate, granted: GrantedRound) {
    let settings = &app.settings.waiting_room;
    let backlog = backlog(app).await;
    let decided = admission_round(granted.state, rate, backlog, settings.backlog);
    let at = ProgramRef::from(program);
    let ended = app
        .gate
        .room_admit(at, granted, decided, settings.limits)
        .await;
    match ended {
        Ok(Some(end)) => MetricLine::new(&app.settings.names)
            .count("BuyersAdmitted", end.admitted.into())
            .count("BuyersWaiting", end.waiting.into())
            .count("AdmissionPaused", decided.paused.into())
            .field("program", program.id.to_string())
            .emit(),
        Ok(None) => tracing::info!(
            program = %program.id,
            "another request has ended a later round of admission; this one changed nothing"
        ),
        Err(error) => tracing::warn!(
            program = %program.id, %error,
            "a round of admission has failed; a later one admits those who wait"
        ),
    }
}

/// How far order-create is behind, if it is known.
async fn backlog(app: &App) -> Option<OrderBacklog> {
    let topic = &app.settings.topic;
    let read = async { tokio::join!(app.publisher.logs(), app.store.progress(topic)) };
    match timeout(BACKLOG_TIMEOUT, read).await {
        Ok((Ok(logs), Ok(progress))) => return Some(unread(&logs, &progress)),
        Ok((Err(error), _)) => {
            tracing::warn!(%error, "the orders' topic cannot be read; no buyer is admitted");
        }
        Ok((_, Err(error))) => {
            tracing::warn!(%error, "the progress of order-create cannot be read; no buyer is admitted");
        }
        Err(_) => tracing::warn!(
            timeout = ?BACKLOG_TIMEOUT,
            "the state of order-create takes too long to read; no buyer is admitted"
        ),
    }
    None
}

/// The records that order-create has not read. Of a topic that was created again it has read none
/// from the first record on; until it reads that one, its former progress hides them.
fn unread(logs: &LogRanges, progress: &[Progress]) -> OrderBacklog {
    let next: BTreeMap<i32, i64> = progress
        .iter()
        .map(|at| (at.partition, at.next_offset))
        .collect();
    let unread = logs.iter().map(|(partition, log)| {
        let from = next.get(partition).copied().unwrap_or(0).max(log.start);
        u64::try_from(log.end - from).unwrap_or(0)
    });
    let read = next
        .values()
        .map(|offset| u64::try_from(*offset).unwrap_or(0));
    OrderBacklog {
        unread: unread.sum(),
        read: read.sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unread_records_are_those_of_the_log_behind_the_progress() {
        let at = |partition, next_offset| Progress {
            partition,
            incarnation: 1,
            next_offset,
            appended_ms: None,
        };
        let logs = LogRanges::from([(0, 0..100), (1, 40..50), (2, 0..7), (3, 0..3)]);
        // Partition 0 has 10 unread, of 1 those before 40 are deleted, 2 was created again, and of 3
        // nothing was read.
        let backlog = unread(&logs, &[at(0, 90), at(1, 12), at(2, 70)]);
        assert_eq!(
            backlog,
            OrderBacklog {
                unread: 23,
                read: 172
            }
        );
        assert_eq!(
            unread(&LogRanges::new(), &[]),
            OrderBacklog { unread: 0, read: 0 }
        );
    }
}
