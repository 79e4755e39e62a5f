//! Fills a gate that lost its state from Postgres. Every seat is an order of its own.
//!
//! Once by one process without interruption, and once in turns of a second by different loaders, as
//! requests and ticks do it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use shared::gate::{Epoch, FillBegun, FillClaim, FillStart, Gate, ProgramRef};
use shared::message::Cents;
use shared::naming::Names;
use shared::refill::{Filled, LEASE_MS, fill};
use shared::sale::{NewCategory, NewProgram, Program};
use shared::store::Store;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use ticket_rush::locations::Servers;
use ticket_rush::remove;

use crate::figures::{figure, group};
use crate::leftovers::{self, Leftover};

/// Seats of a row.
const ROW: u32 = 500;
/// Duration of one loader's turn.
const TURN: Duration = Duration::from_secs(1);

/// Fills a program of at least `orders` seats.
pub(crate) async fn run(orders: u32) -> Result<()> {
    let servers = Servers::from_env();
    let prefix = format!("bench-filling-{:06x}", rand::random::<u32>() >> 8);
    let names = Names::new(&prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    leftovers::note(Leftover::Environment(prefix.clone()));
    let store = Store::connect(&servers.database_url, &names, 4)?;
    store.migrate().await?;
    let options: PgConnectOptions = servers.database_url.parse()?;
    let raw = PgPoolOptions::new()
        .max_connections(1)
        .connect_lazy_with(options.options([("search_path", names.schema())]));
    let gate = Gate::connect(&servers.redis_url, names.clone(), Duration::from_secs(10))?;
    let rows = orders.div_ceil(ROW);
    let hall = NewCategory {
        name: "All".to_owned(),
        rows,
        row_len: ROW,
        price: Cents::new(1_000)?,
    };
    let program = store
        .create_program(
            NewProgram::new("Bench".to_owned(), vec![hall], 3_600_000, 1_000)?,
            None,
        )
        .await?;
    sell_out(&raw).await?;
    group(
        "Filling a lost gate",
        &format!(
            "{} orders of one seat each; Redis and PostgreSQL with their own persistence on",
            rows * ROW
        ),
    );

    remove::keys(&servers, &prefix).await?;
    let took = in_turns(&gate, &store, &program, Duration::MAX).await?;
    figure("by one loader", took.0.as_secs_f64(), "s");
    figure(
        "by one loader",
        f64::from(rows * ROW) / took.0.as_secs_f64(),
        "orders/s",
    );
    remove::keys(&servers, &prefix).await?;
    let took = in_turns(&gate, &store, &program, TURN).await?;
    figure(
        "by loaders that take turns of a second",
        took.0.as_secs_f64(),
        "s",
    );
    figure("turns", f64::from(took.1), "");

    raw.close().await;
    store.disconnect().await;
    remove::remove(&servers, &prefix).await
}

/// Begins with an empty gate and gives each loader `turn`. Returns the time and the number of
/// loaders.
async fn in_turns(
    gate: &Gate,
    store: &Store,
    program: &Program,
    turn: Duration,
) -> Result<(Duration, u32)> {
    let at = ProgramRef::from(program);
    let began = Instant::now();
    let mut turns = 0;
    let mut loader = Epoch::new(rand::random());
    let FillClaim::Granted(grant) = gate.install_claim(at, &loader, LEASE_MS).await? else {
        bail!("another loader is at it")
    };
    let mut begun = gate
        .install_begin(
            program,
            Some(FillStart {
                grant: &grant,
                ends: "{}",
            }),
            &loader,
            LEASE_MS,
        )
        .await?;
    loop {
        let FillBegun::Mine { position, .. } = begun else {
            bail!("the filling is not ours: {begun:?}")
        };
        turns += 1;
        let since = Instant::now();
        let late = || since.elapsed() >= turn;
        if fill(gate, store, program, &loader, &position, &late).await? == Filled::Open {
            break;
        }
        loader = Epoch::new(rand::random());
        begun = loop {
            match gate.install_begin(program, None, &loader, LEASE_MS).await? {
                FillBegun::Busy { .. } => tokio::task::yield_now().await,
                other => break other,
            }
        };
    }
    let took = began.elapsed();
    let free = gate
        .availability(at)
        .await?
        .context("the program is gone")?
        .free[0]
        .1;
    ensure!(
        free == 0,
        "{free} seats are free of a hall that is sold out"
    );
    Ok((took, turns))
}

/// Stores an unpaid order for every seat.
async fn sell_out(raw: &PgPool) -> Result<()> {
    sqlx::raw_sql(include_str!("sql/filling_orders.sql"))
        .execute(raw)
        .await?;
    Ok(())
}
