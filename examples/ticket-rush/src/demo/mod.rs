//! `ticket-rush demo`: one sale from opening to audit.
//!
//! Steps: set up an environment and start `usher up`; open the sale; buyers order over HTTP while
//! the program changes and, with `--faults`, functions are killed and Kafka stops, or primaries are
//! killed and replaced; wait until every
//! accepted order is final; compare the API statistics with the requests sent; drain `usher`;
//! audit. The exit code is 0 only if every check passes.

mod completion;
mod environment;
mod failover;
mod faults;
mod house_seats;
mod program_change;
mod refunds;
mod statistics;
mod status_table;
mod upgrade;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::host::Host;
use ticket_rush::rush::{self, Counts, Hall};
use ticket_rush::shutdown::ShutdownSignal;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::output::{self, Bar};
use crate::{DemoOptions, Faults};
use environment::DemoEnvironment;

pub(crate) use environment::WEBHOOK_SECRET;

/// Time to pay in the demo.
const PAY_WINDOW: Duration = Duration::from_secs(20);
/// Delivery timeout of orders; a buyer receives 503 within it.
const DELIVERY: Duration = Duration::from_secs(3);

pub(crate) async fn run(options: DemoOptions) -> Result<ExitCode> {
    let began = Instant::now();
    let mut shutdown = ShutdownSignal::listen()?;
    let env = shutdown.unless(DemoEnvironment::prepare(&options)).await?;
    let first = &env.first;
    let mut host = shutdown.unless(first.up()).await?;
    let (http, log) = (first.http, first.log.display());
    output::done(&format!("usher serves http://{http} (its log: {log})"));
    // On the heap: the futures of all parts together are large.
    let sale = Box::pin(run_sale(&options, &env, &mut host));
    let result = shutdown.unless(sale).await;
    if result.is_err() && options.faults == Some(Faults::Kills) {
        // The run may have ended while Kafka was stopped.
        faults::kafka(&env.environment.checkout, "start").await?;
    }
    // The host drains, whatever the result.
    let stopped = host.stop().await;
    let correct = result?;
    stopped?;
    output::done("usher drained and stopped");

    output::title("Audit: client logs against PostgreSQL and Redis");
    let audit = async {
        let mut audit = env.audit().await?;
        audit.status().await.context("cannot run the audit")
    };
    let passed = shutdown.unless(audit).await?.success();
    println!(
        "\n{} s in all. Client log: {}",
        began.elapsed().as_secs(),
        env.folder.join("clients.jsonl").display()
    );
    let result = match (passed, correct) {
        (true, true) => "The audit passed.",
        (true, false) => "The audit passed, but a check above failed (!!).",
        (false, _) => "THE AUDIT FAILED.",
    };
    let correct = output::checked(passed && correct, result);
    Ok(ExitCode::from(u8::from(!correct)))
}

/// Runs the sale while `usher` runs. Returns false if a check failed.
async fn run_sale(options: &DemoOptions, env: &DemoEnvironment, host: &mut Host) -> Result<bool> {
    let status_client = host.status_client();
    let upgraded = options.from.is_some();
    let hall = Hall::of(options.seats);
    let span = Duration::from_secs(match (options.faults, upgraded) {
        (None, false) => 8,
        (Some(_), _) => 24,
        (None, true) => 45,
    });
    let rush = env.open_sale(hall, span).await?;
    let seller = env.user("seller", Some("programs:write"))?;
    let half = Notify::new();

    let plans = rush::buyers(options.seed, options.buyers, hall, span);
    let (count, seconds) = (plans.len(), span.as_secs());
    output::title(&format!("The rush: {count} buyers within {seconds} s"));
    let bar = Bar::new("buyers served", count as u64);
    let mut buyers = JoinSet::new();
    for plan in plans {
        let rush = rush.clone();
        let buyer = env.user(&plan.user, None)?;
        buyers.spawn(async move { rush.run_plan(buyer, plan).await });
    }
    let kills = async {
        let probe = env.user("probe", None)?;
        // The last two seats of the balcony: no other buyer orders them.
        let seats = [hall.seats() - 2, hall.seats() - 1];
        let checkout = &env.environment.checkout;
        faults::inject(checkout, &status_client, &rush, &probe, &seats).await
    };
    let inject = async {
        match options.faults {
            None if upgraded => {
                upgrade::there_and_back(&env.first, &env.environment, &env.api, host).await?;
                Ok((true, Vec::new()))
            }
            None => Ok((true, Vec::new())),
            Some(Faults::Kills) => Ok((kills.await?, Vec::new())),
            Some(Faults::Failover) => Ok((true, failover::inject(env).await?)),
        }
    };
    let served = async {
        let mut served = 0;
        while let Some(ended) = buyers.join_next().await {
            ended.context("a buyer")?;
            served += 1;
            bar.set(served);
            if served == rush::half(options.buyers) && !upgraded {
                let status = status_client.status().await?;
                bar.drawn.suspend(|| status_table::show(&status));
                half.notify_one();
            }
        }
        anyhow::Ok(())
    };
    let changed = async {
        if upgraded {
            return Ok(true);
        }
        half.notified().await;
        let correct = program_change::during_the_rush(&rush, &seller, &status_client).await?;
        house_seats::during_the_rush(&rush, &seller).await?;
        Ok(correct)
    };
    let ((injected, failovers), (), changed) = tokio::try_join!(inject, served, changed)?;
    let correct = injected && changed;
    bar.drawn.finish_and_clear();
    let counts = rush.tally.counts();
    failover::report(&failovers, &counts.failed);
    summary(&counts)?;

    let seconds = PAY_WINDOW.as_secs();
    output::title(&format!(
        "Waiting until every order is final (unpaid ones time out after {seconds} s)"
    ));
    let accepted = completion::all_final(&rush, Duration::from_secs(90)).await?;
    output::done(&format!("{accepted} accepted orders, all final"));
    if env.provider.is_some() {
        refunds::of_paid_orders(env, &rush).await?;
    }
    completion::no_leftovers(env, Duration::from_secs(40)).await?;
    let status = status_client.status().await?;
    status_table::show(&status);
    if let Some(mapping) = status.mapping("OrderCreate") {
        let (done, retried) = (mapping.records_done, mapping.failed_batches);
        output::line(&format!("records done {done}, batches retried {retried}"));
    }

    output::title("API statistics against the requests sent");
    let operator = env.user("operator", Some("api-calls:read"))?;
    let exact = options.faults != Some(Faults::Kills);
    let counts_agree = statistics::check(&rush.api, &operator, exact).await?;
    Ok(correct && counts_agree)
}

/// Prints what the buyers received, and checks it.
fn summary(counts: &Counts) -> Result<()> {
    output::line(&format!("{} orders accepted", counts.accepted.len()));
    let named = counts.named.iter();
    let named: Vec<String> = named
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    for part in named.chunks(5) {
        output::line(&part.join(" · "));
    }
    let missing = counts.without_retry_after;
    ensure!(missing == 0, "{missing} answers 503 had no Retry-After");
    let slowest = counts.slowest_refusal;
    ensure!(
        slowest < DELIVERY + Duration::from_secs(4),
        "an answer 503 took {slowest:?}; the broker has {DELIVERY:?}"
    );
    let unexpected = &counts.unexpected;
    ensure!(
        unexpected.is_empty(),
        "{} unexpected answers, the first: {}",
        unexpected.len(),
        unexpected[0]
    );
    Ok(())
}
