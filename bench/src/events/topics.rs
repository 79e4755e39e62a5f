//! What a host costs with more topics and functions: memory, CPU while nothing happens, and the
//! rate at which all topics together are handled.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::topics::{PARTITIONS, ensure, remove};

use super::VALUE;
use crate::application::Application;
use crate::cpu::Reading;
use crate::figures::{compared, goal, group, heading};
use crate::leftovers::{self, Leftover};
use crate::preload::fill_events;
use crate::report::Bound;
use crate::resources::pss_bytes;
use crate::throughput::{Run, through_functions};

/// Topics, each with a function of its own.
const COUNTS: [u32; 3] = [1, 10, 50];
/// Time in which an idle host is observed, after a pause in which the last commits are made.
const IDLE: Duration = Duration::from_secs(10);
const QUICK_IDLE: Duration = Duration::from_secs(4);
const PAUSE: Duration = Duration::from_secs(2);
/// One event in so many is warm-up.
const WARM: u64 = 4;

struct Measured {
    run: Run,
    /// Memory after the load, MiB.
    host: f64,
    functions: f64,
    /// Share of a core while nothing happens, percent.
    idle_host: f64,
    idle_functions: f64,
}

/// Measures with each number of topics; for a quick look without the highest.
pub(crate) async fn run(events: u32, quick: bool) -> Result<()> {
    let (counts, idle) = if quick {
        (&COUNTS[..2], QUICK_IDLE)
    } else {
        (&COUNTS[..], IDLE)
    };
    let mut all = Vec::new();
    for count in counts {
        all.push(measure(*count, events, idle).await?);
    }
    group(
        "A host with more topics and functions",
        &format!(
            "{events} events of {VALUE} bytes in all, spread over the topics, each with \
             {PARTITIONS} partitions and a function of its own with one process; batches of 100; \
             then {} s without an event",
            idle.as_secs()
        ),
    );
    let columns: Vec<String> = counts.iter().map(ToString::to_string).collect();
    heading(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    let row = |name: &str, unit: &str, value: &dyn Fn(&Measured) -> f64| {
        let values: Vec<f64> = all.iter().map(value).collect();
        compared(name, &values, unit);
    };
    row("events of all topics", "events/s", &|m| m.run.rate());
    row("CPU", "s per million events", &|m| m.run.cpu_per_million());
    row("memory of the host", "MiB", &|m| m.host);
    row("memory of all functions", "MiB", &|m| m.functions);
    row("host, idle", "% of a core", &|m| m.idle_host);
    row("functions, idle", "% of a core", &|m| m.idle_functions);
    if let (Some(count), Some(most)) = (counts.last(), all.last()) {
        let name = format!("CPU of an idle host and its functions, {count} topics");
        let idle = most.idle_host + most.idle_functions;
        goal(&name, idle, Bound::AtMost(1.0), "% of a core");
    }
    Ok(())
}

async fn measure(count: u32, events: u32, idle: Duration) -> Result<Measured> {
    let checkout = Checkout::find()?;
    let servers = Servers::from_env();
    let name = format!("bench-topics-{count}-{:06x}", rand::random::<u32>() >> 8);
    let topics: Vec<String> = (0..count).map(|n| format!("{name}-{n}")).collect();
    let each = events / count;
    for topic in &topics {
        leftovers::note(Leftover::Topic(topic.clone()));
        ensure(&servers, topic, PARTITIONS).await?;
        let (brokers, topic) = (servers.brokers.clone(), topic.clone());
        tokio::task::spawn_blocking(move || fill_events(&brokers, &topic, each, VALUE)).await??;
    }
    let template = template(&servers.brokers, &topics);
    let running = Application::start(&checkout, &name, &template, "", &[]).await?;
    let watch = running.host.status_client();
    let all = u64::from(each) * u64::from(count);
    let run = through_functions(&watch, all, WARM, |status| {
        let mappings = status.mappings.iter();
        mappings.map(|mapping| mapping.records_done).sum()
    })
    .await?;
    tokio::time::sleep(PAUSE).await;
    let status = watch.status().await?;
    let processes: Vec<u32> = status.processes().collect();
    let host = || Reading::of([status.pid]);
    let functions = || Reading::of(processes.iter().copied());
    let (before_host, before_functions) = (host(), functions());
    let clock = Instant::now();
    tokio::time::sleep(idle).await;
    let percent = |seconds: f64| 100.0 * seconds / clock.elapsed().as_secs_f64();
    let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    let measured = Measured {
        run,
        host: mebibytes(pss_bytes(status.pid).context("the host has ended")?),
        functions: mebibytes(processes.iter().filter_map(|pid| pss_bytes(*pid)).sum()),
        idle_host: percent(host().since(&before_host)),
        idle_functions: percent(functions().since(&before_functions)),
    };
    running.stop().await?;
    for topic in &topics {
        remove(&servers, topic).await?;
    }
    Ok(measured)
}

/// A template with a function for each topic.
fn template(brokers: &str, topics: &[String]) -> String {
    let mut template = String::from(
        "AWSTemplateFormatVersion: \"2010-09-09\"\n\
         Transform: AWS::Serverless-2016-10-31\n\
         Resources:\n",
    );
    for (n, topic) in topics.iter().enumerate() {
        // writing to a String cannot fail
        let _ = write!(
            template,
            "  Noop{n}:
    Type: AWS::Serverless::Function
    Metadata:
      BuildMethod: rust-cargolambda
      BuildProperties: {{ Binary: noop }}
    Properties:
      Runtime: provided.al2023
      Handler: bootstrap
      CodeUri: ..
      Timeout: 60
      MemorySize: 512
      ReservedConcurrentExecutions: 1
      Events:
        Records:
          Type: SelfManagedKafka
          Properties:
            KafkaBootstrapServers: [\"{brokers}\"]
            Topics: [{topic}]
            ConsumerGroupId: {topic}
            StartingPosition: TRIM_HORIZON
"
        );
    }
    template
}
