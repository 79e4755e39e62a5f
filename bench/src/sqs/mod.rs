//! Messages of a queue to an empty function under `usher`, and the limit of the server: a bare loop
//! that receives and deletes with as many pollers.
//!
//! | file | holds |
//! |---|---|
//! | `server` | the protocol, without an SDK |
//! | `elasticmq` | the server |
//! | `bare` | the bare loop |
//! | `latency` | latency of one message on an idle system |

mod bare;
mod elasticmq;
mod latency;
mod server;

use anyhow::Result;
use ticket_rush::locations::Checkout;
use tokio::task::JoinSet;

use crate::application::{Application, template};
use crate::figures::{figure, group};
use crate::throughput::{Run, through_usher};
use elasticmq::ElasticMq;
use server::{ENTRIES, Queue};

/// Bytes of a body.
const BODY: usize = 300;
/// Messages to warm up: one in so many.
const WARM: u64 = 4;
/// Concurrent requests that fill a queue.
const SENDERS: usize = 8;
/// Latencies that are measured.
const SINGLES: usize = 200;
const QUICK_SINGLES: usize = 50;
/// Requests for messages of one mapping at a time at most.
const MAX_RECEIVES: usize = 10;

/// A mapping.
#[derive(Debug, Clone, Copy)]
struct Mapping {
    batch: u32,
    /// Seconds in which a batch is gathered.
    window: u32,
    /// Processes of the function.
    processes: usize,
}

impl Mapping {
    /// Concurrent requests for messages: without a window, each becomes a batch of a process.
    fn receives(self) -> usize {
        if self.window > 0 {
            MAX_RECEIVES
        } else {
            self.processes.min(MAX_RECEIVES)
        }
    }
}

const MAPPINGS: [Mapping; 3] = [
    Mapping {
        batch: 10,
        window: 0,
        processes: 4,
    },
    Mapping {
        batch: 10,
        window: 0,
        processes: 10,
    },
    Mapping {
        batch: 1_000,
        window: 1,
        processes: 2,
    },
];

/// Measures all mappings; for a quick look the first.
pub(crate) async fn run(messages: u32, quick: bool) -> Result<()> {
    let (mappings, singles) = if quick {
        (&MAPPINGS[..1], QUICK_SINGLES)
    } else {
        (&MAPPINGS[..], SINGLES)
    };
    let messages = u64::from(messages);
    let server = ElasticMq::start(&Checkout::find()?).await?;
    group(
        "Messages from SQS to a function that does nothing",
        &format!(
            "{messages} messages of {BODY} bytes on an ElasticMQ of its own, in memory; the \
             first quarter is warm-up; the bare loop receives and deletes {ENTRIES} at a time; \
             CPU: of the host and its functions, or of the bare loop, without the server"
        ),
    );
    for mapping in mappings.iter().copied() {
        let queue = filled(&server, messages).await?;
        let limit = bare::run(&queue, messages, mapping.receives()).await?;
        queue.remove().await?;
        let queue = filled(&server, messages).await?;
        let ours = through_host(&queue, messages, mapping).await?;
        queue.remove().await?;
        let pollers = mapping.receives();
        show(limit, &format!("bare loop, {pollers} pollers"));
        let Mapping {
            batch, processes, ..
        } = mapping;
        show(
            ours,
            &format!("usher, batches of {batch}, {processes} processes"),
        );
        figure("  of the bare loop's rate", ours.rate() / limit.rate(), "");
    }
    latency::run(&server, singles).await?;
    server.stop().await
}

fn show(run: Run, name: &str) {
    figure(name, run.rate(), "messages/s");
    figure("  CPU", run.cpu_per_million(), "s per million messages");
}

async fn created(server: &ElasticMq) -> Result<Queue> {
    let name = format!("bench-sqs-{:06x}", rand::random::<u32>() >> 8);
    Queue::create(&server.endpoint, &name).await
}

/// A queue with so many messages.
async fn filled(server: &ElasticMq, messages: u64) -> Result<Queue> {
    let queue = created(server).await?;
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS as u64 {
        let queue = queue.clone();
        senders.spawn(async move {
            let own: Vec<u64> = (sender..messages).step_by(SENDERS).collect();
            for numbers in own.chunks(ENTRIES) {
                let bodies: Vec<String> = numbers.iter().map(|n| body(*n)).collect();
                queue.send(&bodies).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(queue)
}

/// A body of [`BODY`] bytes.
fn body(n: u64) -> String {
    let start = format!("{{\"id\":{n},\"note\":\"");
    let padding = BODY.saturating_sub(start.len() + 2);
    format!("{start}{}\"}}", "x".repeat(padding))
}

/// Starts a host whose function reads the queue. `latencies`: name of the file in its folder that
/// gets the age of each message.
async fn start(queue: &Queue, mapping: Mapping, latencies: Option<&str>) -> Result<Application> {
    let checkout = Checkout::find()?;
    let folder = crate::application::folder(&checkout, &queue.name);
    let file = latencies.map(|file| folder.join(file).display().to_string());
    let parameters = [
        ("Queue", queue.name.clone()),
        ("BatchSize", mapping.batch.to_string()),
        ("Window", mapping.window.to_string()),
        ("Instances", mapping.processes.to_string()),
        ("LatencyTo", file.unwrap_or_default()),
    ];
    let settings = format!("[endpoints]\nsqs = \"{}\"\n", queue.endpoint);
    let template = template(&checkout, "sqs")?;
    Application::start(&checkout, &queue.name, &template, &settings, &parameters).await
}

async fn through_host(queue: &Queue, messages: u64, mapping: Mapping) -> Result<Run> {
    let running = start(queue, mapping, None).await?;
    let watch = running.host.status_client();
    let run = through_usher(&watch, "Noop", messages, WARM).await?;
    running.stop().await?;
    Ok(run)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_body_has_its_size() {
        for n in [0, 9, 4_294_967_295] {
            assert_eq!(super::body(n).len(), super::BODY);
        }
    }
}
