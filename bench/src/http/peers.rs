//! The same requests at constant rates, accepted by Spring.

use std::time::Duration;

use anyhow::Result;

use super::arrivals::{Arrived, PATIENCE, Schedule, arrive};
use super::orders::prepared;
use super::sale::{CONNECTIONS, WARM_UP};
use crate::cpu::Reading;
use crate::figures::{compared, group, heading, note};
use crate::orders_peers::{Accept, Accepting, MAP, RUNS, SPRING, build};
use crate::peers::Built;

/// Orders per second.
const MAP_RATES: [u32; 4] = [20, 40, 80, 160];
const RUN_RATES: [u32; 5] = [500, 1_000, 2_000, 3_000, 4_000];
const QUICK_MAP_RATES: [u32; 1] = [40];
const QUICK_RUN_RATES: [u32; 1] = [1_000];
/// A way is measured until its 99th percentile is above this.
const LIMIT_MS: f64 = 50.0;

pub(super) async fn run(seconds: u64, quick: bool) -> Result<()> {
    let span = Duration::from_secs(seconds);
    group(
        "Orders at a constant rate: Spring",
        &format!(
            "the same requests and clients, {seconds} s a rate, after as long at half of the first \
             rate, in which Java compiles what is used often; a hall of {} seats whose unsold \
             seats are read for every order while the request's thread waits for Kafka, as the \
             system that this one replaces did; and a tuned way, with a script of constant cost \
             and no waiting thread. Neither checks tokens, limits or repeated requests; nothing \
             stores the orders. CPU of its process per accepted order",
            MAP.seats
        ),
    );
    match build().await? {
        Ok(built) => {
            heading(&[
                "accepted/s",
                "p50 ms",
                "p99 ms",
                "p99.9 ms",
                "CPU us",
                "refused",
                "unsent",
            ]);
            let (map, runs): (&[u32], &[u32]) = if quick {
                (&QUICK_MAP_RATES, &QUICK_RUN_RATES)
            } else {
                (&MAP_RATES, &RUN_RATES)
            };
            // The map becomes cheaper as seats are sold: a full hall for each rate.
            for rate in map {
                if !rates(&built, MAP, &[*rate], span).await? {
                    break;
                }
            }
            rates(&built, RUNS, runs, span).await?;
            Ok(())
        }
        Err(why) => {
            SPRING.print_skipped(&why);
            Ok(())
        }
    }
}

/// Measures one process at each rate. Returns whether it kept below the limit at all of them.
async fn rates(built: &Built, way: Accept, rates: &[u32], span: Duration) -> Result<bool> {
    let spring = Accepting::start(built, way).await?;
    let requests = prepared(spring.address, "1", ["unused"].into_iter());
    let schedule = |rate: u32| Schedule {
        rate,
        warm_up: WARM_UP,
        span,
        connections: CONNECTIONS,
        patience: PATIENCE,
    };
    let mut within = true;
    // Before the first rate, to compile what is used often.
    let warm_up = schedule(rates.first().map_or(1, |rate| rate.div_ceil(2)));
    arrive(spring.address, requests.clone(), warm_up).await?;
    for rate in rates {
        let before = Reading::of([spring.process()?]);
        let arrived = arrive(spring.address, requests.clone(), schedule(*rate)).await?;
        let cpu = Reading::of([spring.process()?]).since(&before);
        print(way, *rate, &arrived, cpu);
        within = arrived.milliseconds(0.99) <= LIMIT_MS;
        if !within {
            let name = way.name;
            note(&format!("{name}: p99 is above {LIMIT_MS} ms at {rate}/s"));
            break;
        }
    }
    spring.stop().await?;
    Ok(within)
}

fn print(way: Accept, rate: u32, arrived: &Arrived, cpu: f64) {
    let Arrived {
        measured, unsent, ..
    } = arrived;
    let values = [
        measured.accepted() as f64 / arrived.seconds,
        arrived.milliseconds(0.5),
        arrived.milliseconds(0.99),
        arrived.milliseconds(0.999),
        cpu * 1e6 / arrived.accepted.max(1) as f64,
        measured.refused as f64,
        *unsent as f64,
    ];
    compared(&format!("{}, {rate}/s", way.name), &values, "");
}
