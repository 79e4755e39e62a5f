//! `ticket-rush demo`: one sale from opening to audit, told as it happens.
//!
//! Chapters: an environment of its own is made ready and `usher up` started; the sale opens; buyers rush it over HTTP, and
//! the program changes under them (with `--faults` things break meanwhile); every accepted order is awaited in a final state;
//! the API statistics are compared with what was sent; `usher` drains; the audit judges. Exit code 0 only if all is right.

mod buyer;
mod calls;
mod change;
mod faults;
mod picture;
mod plan;
mod settle;
mod stage;
mod tally;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::ending::Ending;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::DemoOptions;
use crate::say::{self, Bar};
use stage::Stage;

pub(crate) use stage::WEBHOOK_SECRET;

/// Time to pay in the demo.
const PAY_WINDOW: Duration = Duration::from_secs(20);
/// How long the broker may take; buyers hear "try again later" within it.
const DELIVERY: Duration = Duration::from_secs(3);
/// Tickets of one buyer.
const USER_LIMIT: u32 = 6;

pub(crate) async fn run(options: DemoOptions) -> Result<ExitCode> {
    let began = Instant::now();
    let mut ending = Ending::listen()?;
    let stage = ending.unless(Stage::set(DELIVERY)).await?;
    let host = ending.unless(stage.environment.up()).await?;
    say::done(&format!(
        "usher serves http://{} (its log: {})",
        stage.environment.http,
        stage.environment.log.display()
    ));
    let result = ending.unless(tell(&options, &stage, &host.watch())).await;
    if result.is_err() && options.faults {
        // It may have ended while Kafka was stopped on purpose.
        faults::mend(&stage.environment.place).await?;
    }
    // Whatever happened, end in order: what is in flight is finished first.
    let stopped = host.stop().await;
    let told_right = result?;
    stopped?;
    say::done("usher drained and stopped");

    say::title("Audit: client logs against PostgreSQL and Redis");
    let audit = async {
        stage
            .audit()?
            .status()
            .await
            .context("the audit cannot be run")
    };
    let passed = ending.unless(audit).await?.success();
    println!(
        "\n{} s in all. Client log: {}",
        began.elapsed().as_secs(),
        stage.folder.join("clients.jsonl").display()
    );
    if passed && told_right {
        say::done("The audit passed.");
        return Ok(ExitCode::SUCCESS);
    }
    say::fault(if passed {
        "The audit passed, but something told above is not as it must be (!!)."
    } else {
        "THE AUDIT FAILED."
    });
    Ok(ExitCode::FAILURE)
}

/// The chapters while `usher` runs; false if anybody was told something wrong.
async fn tell(
    options: &DemoOptions,
    stage: &Stage,
    watch: &ticket_rush::host::Watch,
) -> Result<bool> {
    let hall = plan::Hall::of(options.seats);
    let span = Duration::from_secs(if options.faults { 24 } else { 8 });
    let (rush, probe) = stage.open(hall, PAY_WINDOW, USER_LIMIT, span).await?;
    let seller = stage.officer("seller", "programs:write")?;
    let half = Notify::new();

    let plans = plan::buyers(options.seed, options.buyers, hall, span);
    say::title(&format!(
        "The rush: {} buyers within {} s",
        plans.len(),
        span.as_secs()
    ));
    let bar = Bar::new("buyers served", plans.len() as u64);
    let mut buyers = JoinSet::new();
    for plan in plans {
        let rush = rush.clone();
        let buyer = stage.buyer(&plan.user)?;
        buyers.spawn(async move { rush.shop_for(buyer, plan).await });
    }
    let strike = async {
        if !options.faults {
            return Ok(true);
        }
        // The last two seats of the balcony: nobody else comes for them.
        let end = hall.first(2) + hall.seats_of(2);
        faults::strike(
            &stage.environment.place,
            watch,
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
                let status = watch.status().await?;
                bar.above(|| picture::show(&status));
                half.notify_one();
            }
        }
        Ok::<_, anyhow::Error>(())
    };
    let changed = async {
        half.notified().await;
        change::during_the_rush(&rush, &seller).await
    };
    let (struck, served, changed) = tokio::join!(strike, served, changed);
    served?;
    let told_right = struck? && changed?;
    bar.finish();
    summary(&rush.tally);
    let (missing, slowest) = rush.tally.refusals();
    ensure!(missing == 0, "{missing} answers 503 had no Retry-After");
    ensure!(
        slowest < DELIVERY + Duration::from_secs(4),
        "an answer 503 took {slowest:?}; the broker has {DELIVERY:?}"
    );
    let surprises = rush.tally.surprises();
    ensure!(
        surprises.is_empty(),
        "{} answers that no buyer should get, the first: {}",
        surprises.len(),
        surprises[0]
    );

    say::title(&format!(
        "Waiting until every order is final (unpaid ones time out after {} s)",
        PAY_WINDOW.as_secs()
    ));
    settle::all_final(&rush, Duration::from_secs(90)).await?;
    say::done(&format!(
        "{} accepted orders, all final",
        rush.tally.orders().len()
    ));
    let audit = stage.audit()?; // found once, so that a missing program is told now
    drop(audit);
    settle::nothing_left(|| stage.audit_again(), Duration::from_secs(40)).await?;
    let status = watch.status().await?;
    picture::show(&status);
    if let Some(mapping) = status.mapping("OrderCreate") {
        say::line(&format!(
            "records done {}, batches tried again {}",
            mapping.records_done, mapping.failed_batches
        ));
    }

    say::title("API statistics against what was sent");
    let operator = stage.officer("operator", "api-calls:read")?;
    let counted_right = calls::check(&rush.shop, &operator, !options.faults).await?;
    Ok(told_right && counted_right)
}

fn summary(tally: &tally::Tally) {
    let orders = tally.orders();
    say::line(&format!("{} orders accepted", orders.len()));
    let named = [
        "seat was faster gone",
        "sold out",
        "limit reached",
        "double click",
        "repeated request",
        "payment applied",
        "payment told again",
        "payment came before its order",
        "payment to be refunded",
        "cancelled",
        "walked away",
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
        say::line(&part.join(" · "));
    }
}
