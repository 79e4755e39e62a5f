//! Latency at constant rates, up to the rate that the system does not reach.

use std::time::Duration;

use anyhow::Result;

use super::arrivals::{Arrived, PATIENCE, Schedule};
use super::sale::{CONNECTIONS, Sale, WARM_UP};
use crate::cpu::Reading;
use crate::environment::BenchEnvironment;
use crate::figures::{compared, goal, group, heading, note, plot};
use crate::report::{Axis, Bound, Plot, Series};

/// Orders per second.
const RATES: [u32; 12] = [
    100, 200, 500, 750, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000,
];
const QUICK_RATES: [u32; 3] = [500, 1_000, 2_000];
/// Rates between the last one below the limit and the first above it.
const REFINEMENTS: u32 = 2;
/// Limit of the 99th percentile.
const LIMIT_MS: f64 = 50.0;
/// The rate counts as reached with this part of its orders.
const REACHED: f64 = 0.95;

/// One rate.
struct Step {
    rate: u32,
    arrived: Arrived,
    /// CPU microseconds per accepted order.
    host_us: f64,
    generator_us: f64,
    /// Accepted orders that were not stored at the end.
    behind: f64,
}

impl Step {
    fn accepted(&self) -> f64 {
        self.arrived.measured.accepted() as f64 / self.arrived.seconds
    }

    fn p99(&self) -> f64 {
        self.arrived.milliseconds(0.99)
    }

    /// Whether the rate was reached within the limit.
    fn is_within(&self) -> bool {
        self.accepted() >= f64::from(self.rate) * REACHED && self.p99() <= LIMIT_MS
    }
}

pub(super) async fn run(seconds: u64, quick: bool) -> Result<()> {
    let env = BenchEnvironment::set("curve").await?;
    let host = env.environment.up().await?;
    let mut sale = Sale::new(&env, host.status_client())?;
    let span = Duration::from_secs(seconds);
    measure(&mut sale, 200, span).await?; // processes start, connections open
    let rates: &[u32] = if quick { &QUICK_RATES } else { &RATES };
    let mut steps: Vec<Step> = Vec::new();
    for rate in rates {
        let step = measure(&mut sale, *rate, span).await?;
        let over = !step.is_within();
        steps.push(step);
        // One slow rate may be an accident of the machine; two are a limit.
        if over && steps.len() > 1 && !steps[steps.len() - 2].is_within() {
            break;
        }
    }
    for _ in 0..if quick { 0 } else { REFINEMENTS } {
        let Some(rate) = between(&steps) else { break };
        let step = measure(&mut sale, rate, span).await?;
        let at = steps.partition_point(|other| other.rate < rate);
        steps.insert(at, step);
    }
    print(&steps, seconds);
    host.stop().await?;
    env.strike().await
}

/// The rate in the middle between the highest one within the limit and the next above it.
fn between(steps: &[Step]) -> Option<u32> {
    let within = steps.iter().rposition(Step::is_within)?;
    let above = steps.get(within + 1)?;
    Some(steps[within].rate.midpoint(above.rate))
}

async fn measure(sale: &mut Sale<'_>, rate: u32, span: Duration) -> Result<Step> {
    let schedule = Schedule {
        rate,
        warm_up: WARM_UP,
        span,
        connections: CONNECTIONS,
        patience: PATIENCE,
    };
    let (host, own) = (Reading::of_host(&sale.watch).await?, Reading::own());
    let arrived = sale.orders(schedule).await?;
    let generator = Reading::own().since(&own);
    let behind = sale.behind().await? as f64;
    sale.stored().await?;
    let host = Reading::of_host(&sale.watch).await?.since(&host);
    let per_order = |seconds: f64| seconds * 1e6 / arrived.accepted as f64;
    Ok(Step {
        rate,
        host_us: per_order(host),
        generator_us: per_order(generator),
        arrived,
        behind,
    })
}

fn print(steps: &[Step], seconds: u64) {
    group(
        "Orders at a constant rate: latency",
        &format!(
            "open loop: orders of 2 best seats at times fixed beforehand, {seconds} s a rate, at \
             most {CONNECTIONS} in flight; latency from the intended time until the 202, the \
             timer's delay of about 0.1 ms included, without end where an order is refused or \
             not sent; the application as in usher.toml, with the template's interval of the \
             sweep, order-create running beside; CPU until the last order is stored"
        ),
    );
    heading(&[
        "accepted/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "host us",
        "load us",
        "behind",
        "refused",
        "unsent",
    ]);
    for step in steps {
        let Arrived {
            measured, unsent, ..
        } = &step.arrived;
        let values = [
            step.accepted(),
            step.arrived.milliseconds(0.5),
            step.p99(),
            step.arrived.milliseconds(0.999),
            step.host_us,
            step.generator_us,
            step.behind,
            measured.refused as f64,
            *unsent as f64,
        ];
        compared(&format!("{} orders/s", step.rate), &values, "");
    }
    note(
        "host us: CPU of usher and all functions per accepted order; load us: that of the load \
         generator; behind: accepted orders that were not stored when the last request was answered",
    );
    let refusal = |step: &Step| step.arrived.measured.refusal.clone();
    if let Some(refusal) = steps.iter().rev().find_map(refusal) {
        note(&format!("the last of those not accepted: {refusal}"));
    }
    let reached = steps.iter().filter(|step| step.is_within());
    let reached = reached.map(|step| step.rate).max();
    note(&match reached {
        None => format!("p99 is above {LIMIT_MS} ms at every rate"),
        Some(rate) if steps.iter().all(|step| step.rate <= rate) => {
            format!("p99 stays below {LIMIT_MS} ms up to the highest rate, {rate}/s")
        }
        Some(rate) => {
            let above = steps.iter().find(|step| step.rate > rate);
            let above = above.map_or(rate, |step| step.rate);
            format!("p99 passes {LIMIT_MS} ms between {rate} and {above} orders/s")
        }
    });
    goals(steps);
    draw(steps);
}

fn goals(steps: &[Step]) {
    let within = steps.iter().filter(|step| step.is_within());
    // The rate at which they arrive: accepted/s counts the time of the last response as well.
    let best = within.map(|step| step.rate).max().unwrap_or(0);
    let name = "accepted over HTTP at p99 <= 50 ms, order-create beside";
    goal(name, f64::from(best), Bound::AtLeast(2_000.0), "orders/s");
    if let Some(step) = steps.iter().find(|step| step.rate == 1_000) {
        let name = "p99 at 1,000 orders/s, open loop";
        goal(name, step.p99(), Bound::AtMost(LIMIT_MS), "ms");
    }
}

fn draw(steps: &[Step]) {
    let series = |name: &str, value: &dyn Fn(&Step) -> f64| Series {
        name: name.to_owned(),
        points: steps
            .iter()
            .map(|step| (f64::from(step.rate), value(step)))
            .filter(|(_, ms)| ms.is_finite())
            .collect(),
    };
    plot(Plot {
        title: "Latency of an order at a constant rate".to_owned(),
        x: Axis {
            name: "orders/s that arrive".to_owned(),
            logarithmic: true,
        },
        y: Axis {
            name: "ms from the intended time until the 202".to_owned(),
            logarithmic: true,
        },
        series: vec![
            series("p50", &|step| step.arrived.milliseconds(0.5)),
            series("p99", &Step::p99),
            series("p99.9", &|step| step.arrived.milliseconds(0.999)),
        ],
        limits: vec![("goal of p99: 50 ms".to_owned(), LIMIT_MS)],
    });
}
