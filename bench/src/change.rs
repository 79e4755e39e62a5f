//! A change of a program: the time from its commit until no reader serves the previous version.
//!
//! Everything runs under `usher`, as in the cloud: stream, stream-bridge, SQS, cache-invalidator,
//! stream. Promoter and readers run in this process. The promoter commits and announces as a
//! storefront does; each reader has its own memory, follower and connections. Readers poll every
//! millisecond, which is the resolution of the figures.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use hdrhistogram::Histogram;
use shared::cache::{CacheSettings, ProgramCache, follow};
use shared::config::Reader;
use shared::message::{ProgramChanged, ProgramId, ProgramVersion};
use shared::naming::Names;
use shared::sale::ProgramChange;
use shared::store::{Changed, Store};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::environment::BenchEnvironment;
use crate::figures::{figure, group};

/// Readers of each run.
const READERS: [usize; 2] = [3, 100];
/// Warm-up changes: processes start, connections open.
const WARM_UP: u32 = 3;
/// Poll interval of a reader.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Maximum time of a change.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reader, as in a long-lived instance.
struct Instance {
    cache: ProgramCache<Store>,
    _follower: JoinSet<()>,
}

pub(crate) async fn run(changes: u32) -> Result<()> {
    let env = BenchEnvironment::set("change").await?;
    let host = env.environment.up().await?;
    let id: ProgramId = env
        .program(1)
        .await?
        .parse()
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    group(
        "A change of a program",
        &format!(
            "{changes} changes, one after the other; stream, stream-bridge, SQS, \
             cache-invalidator and stream under usher"
        ),
    );
    for readers in READERS {
        let (all, each) = measure(&env, id, readers, changes).await?;
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let ms = |seen: &Histogram<u64>| seen.value_at_quantile(quantile) as f64 / 1000.0;
            figure(
                &format!("committed -> none of {readers} serves the old, {name}"),
                ms(&all),
                "ms",
            );
            figure(
                &format!("committed -> one of {readers} does not, {name}"),
                ms(&each),
                "ms",
            );
        }
    }
    host.stop().await?;
    env.strike().await
}

/// Microseconds from a commit until the last reader serves it, and until each reader does.
async fn measure(
    env: &BenchEnvironment,
    id: ProgramId,
    readers: usize,
    changes: u32,
) -> Result<(Histogram<u64>, Histogram<u64>)> {
    let settings = settings(env)?;
    let names = Names::new(&env.environment.prefix).map_err(|e| anyhow::anyhow!("{e}"))?;
    let store = Store::connect(&env.environment.servers.database_url, &names, 4)?;
    let announcer = settings
        .streams
        .changed_announcer(settings.streams.link()?, &names);
    let instances = (0..readers)
        .map(|_| instance(&settings, &store, &names))
        .collect::<Result<Vec<_>>>()?;
    let mut all = Histogram::<u64>::new(3)?;
    let mut each = Histogram::<u64>::new(3)?;
    let mut version = store
        .program(id)
        .await?
        .context("the program is gone")?
        .version;
    for round in 0..WARM_UP + changes {
        settle(&instances, id, version).await?;
        let change = ProgramChange::new(Some(format!("Bench, {round}")), None, None, vec![])?;
        let Changed::Done(program) = store.update_program(id, version, &change).await? else {
            bail!("another process changes the program")
        };
        let committed = Instant::now();
        version = program.version;
        announcer
            .announce(ProgramChanged { id, version }, None)
            .await?;
        let took = until_served(&instances, id, version, committed).await?;
        store.published(&[ProgramChanged { id, version }]).await?;
        if round >= WARM_UP {
            all.record(took.iter().copied().max().unwrap_or_default())?;
            for one in took {
                each.record(one)?;
            }
        }
    }
    store.disconnect().await;
    Ok((all, each))
}

fn settings(env: &BenchEnvironment) -> Result<CacheSettings> {
    let reader = Reader::new([
        (
            "REDIS_CACHE_URL",
            env.environment.servers.cache_url.as_str(),
        ),
        ("CACHE_TIMEOUT_MS", "5000"),
        ("PROGRAM_CACHE_READER", "true"),
        ("PROGRAM_CACHE_TTL_MS", "3600000"),
    ]);
    Ok(reader.finish(|| CacheSettings::read(&reader))?)
}

fn instance(settings: &CacheSettings, store: &Store, names: &Names) -> Result<Instance> {
    let link = settings.streams.link()?;
    let cache = settings.open(store.clone(), link.clone(), names);
    let block = settings.block().context("readers follow")?;
    let mut follower = JoinSet::new();
    follower.spawn(follow(
        cache.local(),
        link,
        names.clone(),
        settings.streams.evicted.clone(),
        block,
    ));
    Ok(Instance {
        cache,
        _follower: follower,
    })
}

/// Waits until every reader serves this version, from memory.
async fn settle(instances: &[Instance], id: ProgramId, version: ProgramVersion) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for instance in instances {
        while !(instance.cache.local().is_fresh() && served(instance, id).await? == version) {
            ensure!(
                Instant::now() < deadline,
                "a reader does not come to serve version {version}"
            );
            sleep(LOOK_EVERY).await;
        }
    }
    Ok(())
}

/// Microseconds until each reader served this version.
async fn until_served(
    instances: &[Instance],
    id: ProgramId,
    version: ProgramVersion,
    committed: Instant,
) -> Result<Vec<u64>> {
    let mut took = vec![None; instances.len()];
    while took.iter().any(Option::is_none) {
        ensure!(
            committed.elapsed() < PATIENCE,
            "a change does not arrive; is the bridge running?"
        );
        for (instance, took) in instances
            .iter()
            .zip(&mut took)
            .filter(|(_, took)| took.is_none())
        {
            if served(instance, id).await? >= version {
                *took = Some(committed.elapsed().as_micros() as u64);
            }
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(took.into_iter().flatten().collect())
}

async fn served(instance: &Instance, id: ProgramId) -> Result<ProgramVersion> {
    let program: Option<Arc<_>> = instance.cache.find(id).await?;
    Ok(program.context("the program is gone")?.version)
}
