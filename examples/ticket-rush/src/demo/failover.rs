//! Failovers during the sale: the primary of the gate, then the one of the database is killed, and
//! a replica takes over.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ticket_rush::rush::FailedRequest;
use tokio::time::{sleep, timeout};

use super::environment::DemoEnvironment;
use super::faults::servers;
use crate::output;

/// Time of undisturbed sale before each failover.
const CALM: Duration = Duration::from_secs(5);
/// How long sentinels may take.
const ELECTION: Duration = Duration::from_secs(30);
/// Buyers' errors should have ended this long after a primary was killed.
const GOAL: Duration = Duration::from_secs(5);

/// A primary that was killed and replaced.
pub(crate) struct Failover {
    what: &'static str,
    killed: Instant,
    /// How long there was no primary.
    replaced_after: Duration,
}

/// Kills both primaries, one after the other has been replaced.
pub(crate) async fn inject(env: &DemoEnvironment) -> Result<Vec<Failover>> {
    sleep(CALM).await;
    let gate = gate(env).await?;
    sleep(CALM).await;
    let database = database(env).await?;
    Ok(vec![gate, database])
}

/// The sentinels replace the gate's primary. What was killed returns as a replica.
async fn gate(env: &DemoEnvironment) -> Result<Failover> {
    let checkout = &env.environment.checkout;
    let addresses = &env.environment.servers;
    let before = addresses.gate_url().await?;
    servers(checkout, "kill", "gate1").await?;
    let killed = Instant::now();
    output::fault(&format!("killed the gate's primary ({before})"));
    let replaced = timeout(ELECTION, async {
        loop {
            let primary = addresses.gate_url().await?;
            if primary != before {
                return anyhow::Ok(primary);
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let primary = replaced
        .await
        .with_context(|| format!("the sentinels chose no other primary within {ELECTION:?}"))??;
    let replaced_after = killed.elapsed();
    output::done(&format!(
        "the sentinels chose {primary} {} after it",
        seconds(replaced_after)
    ));
    servers(checkout, "start", "gate1").await?;
    Ok(Failover {
        what: "gate",
        killed,
        replaced_after,
    })
}

/// The standby is promoted, and the address of the database leads to it.
async fn database(env: &DemoEnvironment) -> Result<Failover> {
    let checkout = &env.environment.checkout;
    let address = env.database.as_ref();
    let address = address.context("the database has no address that moves")?;
    let standby = env::var("DATABASE_STANDBY_PORT").unwrap_or_default();
    let standby = standby
        .parse()
        .context("DATABASE_STANDBY_PORT is no port: scripts/servers env prints it")?;
    servers(checkout, "kill", "database1").await?;
    let killed = Instant::now();
    output::fault("killed the database's primary");
    servers(checkout, "promote", "database2").await?;
    address.lead_to(standby);
    let replaced_after = killed.elapsed();
    output::done(&format!(
        "the standby is the primary, and the address leads to it, {} after it",
        seconds(replaced_after)
    ));
    Ok(Failover {
        what: "database",
        killed,
        replaced_after,
    })
}

/// Prints when buyers' errors began and ended.
pub(crate) fn report(failovers: &[Failover], failed: &[FailedRequest]) {
    for (n, failover) in failovers.iter().enumerate() {
        let next = failovers.get(n + 1).map(|next| next.killed);
        let errors = Errors::between(failed, failover.killed, next);
        let replaced = seconds(failover.replaced_after);
        let what = format!("{}: replaced after {replaced}, ", failover.what);
        let Some((first, last)) = errors.span else {
            output::done(&format!("{what}no request failed"));
            continue;
        };
        let over = if last > GOAL {
            format!("; the goal is {}", seconds(GOAL))
        } else {
            String::new()
        };
        let text = format!(
            "{what}buyers' errors from {} to {} after the kill ({}){over}",
            seconds(first),
            seconds(last),
            errors.text()
        );
        output::checked(last <= GOAL, &text);
    }
}

/// Errors after one failover and before the next.
#[derive(Debug, PartialEq, Eq)]
struct Errors<'a> {
    /// When the first and the last were answered, counted from the kill.
    span: Option<(Duration, Duration)>,
    /// Number by answer.
    answers: BTreeMap<&'a str, u64>,
}

impl<'a> Errors<'a> {
    fn between(failed: &'a [FailedRequest], killed: Instant, next: Option<Instant>) -> Self {
        let within = |one: &&FailedRequest| one.at >= killed && next.is_none_or(|at| one.at < at);
        let mut errors = Self {
            span: None,
            answers: BTreeMap::new(),
        };
        for one in failed.iter().filter(within) {
            let after = one.at.duration_since(killed);
            let (first, last) = errors.span.unwrap_or((after, after));
            errors.span = Some((first.min(after), last.max(after)));
            *errors.answers.entry(&one.answer).or_default() += 1;
        }
        errors
    }

    fn text(&self) -> String {
        let answers = self.answers.iter();
        let answers: Vec<String> = answers
            .map(|(answer, count)| format!("{answer}: {count}"))
            .collect();
        answers.join(", ")
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_belong_to_the_failover_before_them() {
        let killed = Instant::now();
        let after = |ms| killed + Duration::from_millis(ms);
        let failed = [(100, "503 busy"), (2500, "no answer"), (9000, "503 busy")];
        let failed = failed.map(|(ms, answer)| FailedRequest {
            at: after(ms),
            answer: answer.to_owned(),
        });
        let first = Errors::between(&failed, killed, Some(after(8000)));
        let span = (Duration::from_millis(100), Duration::from_millis(2500));
        assert_eq!(first.span, Some(span));
        assert_eq!(first.text(), "503 busy: 1, no answer: 1");
        let second = Errors::between(&failed, after(8000), None);
        let at = Duration::from_millis(1000);
        assert_eq!(second.span, Some((at, at)));
        assert_eq!(Errors::between(&failed, after(9001), None).span, None);
    }
}
