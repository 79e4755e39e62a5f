//! `ticket-rush demo`: one sale from opening to audit.
//!
//! Steps: set up an environment and start `usher up`; open the sale; buyers order over HTTP while
//! the program changes and, with `--faults`, functions are killed and Kafka stops; wait until every
//! accepted order is final; compare the API statistics with the requests sent; drain `usher`;
//! audit. The exit code is 0 only if every check passes.

mod buyer;
mod completion;
mod environment;
mod faults;
mod plan;
mod program_change;
mod statistics;
mod status_table;
mod tally;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::shutdown::ShutdownSignal;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::DemoOptions;
use crate::output::{self, Bar};
use environment::DemoEnvironment;

pub(crate) use environment::WEBHOOK_SECRET;

/// Time to pay in the demo.
const PAY_WINDOW: Duration = Duration::from_secs(20);
/// Delivery timeout of orders; a buyer receives 503 within it.
const DELIVERY: Duration = Duration::from_secs(3);
/// Ticket limit of one buyer.
const USER_LIMIT: u32 = 6;

pub(crate) async fn run(options: DemoOptions) -> Result<ExitCode> {
    let began = Instant::now();
    let mut shutdown = ShutdownSignal::listen()?;
    let env = shutdown.unless(DemoEnvironment::prepare(DELIVERY)).await?;
    let host = shutdown.unless(env.environment.up()).await?;
    output::done(&format!(
        "usher serves http://{} (its log: {})",
        env.environment.http,
        env.environment.log.display()
    ));
    let result = shutdown
        .unless(run_sale(&options, &env, &host.status_client()))
        .await;
    if result.is_err() && options.faults {
        // The run may have ended while Kafka was stopped.
        faults::restart_kafka(&env.environment.checkout).await?;
    }
    // The host drains, whatever the result.
    let stopped = host.stop().await;
    let correct = result?;
    stopped?;
    output::done("usher drained and stopped");

    output::title("Audit: client logs against PostgreSQL and Redis");
    let audit = async { env.audit()?.status().await.context("cannot run the audit") };
    let passed = shutdown.unless(audit).await?.success();
    println!(
        "\n{} s in all. Client log: {}",
        began.elapsed().as_secs(),
        env.folder.join("clients.jsonl").display()
    );
    if passed && correct {
        output::done("The audit passed.");
        return Ok(ExitCode::SUCCESS);
    }
    output::fault(if passed {
        "The audit passed, but a check above failed (!!)."
    } else {
        "THE AUDIT FAILED."
    });
    Ok(ExitCode::FAILURE)
}

/// Runs the sale while `usher` runs. Returns false if a check failed.
async fn run_sale(
    options: &DemoOptions,
    env: &DemoEnvironment,
    status_client: &ticket_rush::host::StatusClient,
) -> Result<bool> {
    let hall = plan::Hall::of(options.seats);
    let span = Duration::from_secs(if options.faults { 24 } else { 8 });
    let (rush, probe) = env.open_sale(hall, PAY_WINDOW, USER_LIMIT, span).await?;
    let seller = env.officer("seller", "programs:write")?;
    let half = Notify::new();

    let plans = plan::buyers(options.seed, options.buyers, hall, span);
    output::title(&format!(
        "The rush: {} buyers within {} s",
        plans.len(),
        span.as_secs()
    ));
    let bar = Bar::new("buyers served", plans.len() as u64);
    let mut buyers = JoinSet::new();
    for plan in plans {
        let rush = rush.clone();
        let buyer = env.buyer(&plan.user)?;
        buyers.spawn(async move { rush.run_plan(buyer, plan).await });
    }
    let inject = async {
        if !options.faults {
            return Ok(true);
        }
        // The last two seats of the balcony: no other buyer orders them.
        let end = hall.first(2) + hall.seats_of(2);
        faults::inject(
            &env.environment.checkout,
            status_client,
            &rush,
            &probe,
            vec![end - 2, end - 1],
            DELIVERY,
        )
        .await
    };
    let served = async {
        let mut served = 0;
        while let Some(ended) = buyers.join_next().await {
            ended.context("a buyer")?;
            served += 1;
            bar.set(served);
            if served == u64::from(options.buyers) / 2 {
                let status = status_client.status().await?;
                bar.above(|| status_table::show(&status));
                half.notify_one();
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let changed = async {
        half.notified().await;
        program_change::during_the_rush(&rush, &seller).await
    };
    let (injected, served, changed) = tokio::join!(inject, served, changed);
    served?;
    let correct = injected? && changed?;
    bar.finish();
    summary(&rush.tally);
    let (missing, slowest) = rush.tally.refusals();
    ensure!(missing == 0, "{missing} answers 503 had no Retry-After");
    ensure!(
        slowest < DELIVERY + Duration::from_secs(4),
        "an answer 503 took {slowest:?}; the broker has {DELIVERY:?}"
    );
    let unexpected = rush.tally.unexpected_answers();
    ensure!(
        unexpected.is_empty(),
        "{} unexpected answers, the first: {}",
        unexpected.len(),
        unexpected[0]
    );

    output::title(&format!(
        "Waiting until every order is final (unpaid ones time out after {} s)",
        PAY_WINDOW.as_secs()
    ));
    completion::all_final(&rush, Duration::from_secs(90)).await?;
    output::done(&format!(
        "{} accepted orders, all final",
        rush.tally.orders().len()
    ));
    env.audit()?; // fails now if the program is missing
    completion::no_leftovers(|| env.audit_command(), Duration::from_secs(40)).await?;
    let status = status_client.status().await?;
    status_table::show(&status);
    if let Some(mapping) = status.mapping("OrderCreate") {
        output::line(&format!(
            "records done {}, batches retried {}",
            mapping.records_done, mapping.failed_batches
        ));
    }

    output::title("API statistics against the requests sent");
    let operator = env.officer("operator", "api-calls:read")?;
    let counts_agree = statistics::check(&rush.api, &operator, !options.faults).await?;
    Ok(correct && counts_agree)
}

fn summary(tally: &tally::Tally) {
    let orders = tally.orders();
    output::line(&format!("{} orders accepted", orders.len()));
    let named = [
        "seats taken",
        "sold out",
        "limit reached",
        "double click",
        "repeated request",
        "payment applied",
        "payment notified twice",
        "payment came before its order",
        "payment to be refunded",
        "cancelled",
        "not paid",
        "paid too late",
        "try again later",
        "gave up",
    ];
    let counts: Vec<String> = named
        .iter()
        .map(|n| (n, tally.of(n)))
        .filter(|(_, c)| *c > 0)
        .map(|(n, c)| format!("{n} {c}"))
        .collect();
    for part in counts.chunks(5) {
        output::line(&part.join(" · "));
    }
}
