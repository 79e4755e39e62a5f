//! What an application has of Redis Streams: its checks, and how its sources are opened.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use redis::cmd;
use redis_link::LinkError;
use sam_template::model::{Application, RedisEndpoint};
use sam_template::project::{LocalServer, local_servers};
use serde_json::json;

use crate::redis_client;

use super::encode::Origin;
use super::mapping::RedisStreamMapping;
use super::progress::RedisStreamProgress;
use super::source::{RedisStreamRuns, RedisStreamSource};
use super::{declaration, describe};
use crate::doctor::Finding;
use crate::sources::error::SourceError;
use crate::sources::host::SourceHost;
use crate::sources::kind::{OpenedSources, PlannedSource, SourceKind};
use crate::sources::source::EventSource;
use crate::sources::status::SourceSubject;
use crate::tuning::{BatchSettings, TunableSource};

/// The `type` in usher.toml.
pub(super) const TYPE: &str = "RedisStream";

/// Response timeout of Redis.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Connections of a source: one that waits for entries, one for all other calls.
const FILES: u64 = 4;

/// Streams that usher.toml declares.
#[derive(Debug)]
pub struct RedisStreamSourceKind;

impl SourceKind for RedisStreamSourceKind {
    fn name(&self) -> &'static str {
        "redis-stream"
    }

    fn section(&self) -> &'static str {
        "streams"
    }

    fn declared_type(&self) -> Option<&'static str> {
        Some(TYPE)
    }

    fn planned(&self, app: &Application) -> Vec<PlannedSource> {
        let mappings = declaration::read(app).mappings;
        mappings
            .iter()
            .map(|mapping| planned(app, mapping))
            .collect()
    }

    fn contradictions(&self, app: &Application) -> Vec<String> {
        let mut declared = declaration::read(app);
        let enabled = declared.mappings.iter().filter(|mapping| mapping.enabled);
        if app.redis_endpoint.is_none()
            && let Some(mapping) = enabled.clone().next()
        {
            declared.problems.push(format!(
                "source {}: no Redis is set. Write in usher.toml: [endpoints] redis = \
                 \"redis://127.0.0.1:6379\"",
                mapping.id
            ));
        }
        if app
            .redis_endpoint
            .as_ref()
            .is_some_and(redis_client::is_cluster)
        {
            let apart = enabled.clone().filter(|mapping| !has_tag(&mapping.stream));
            declared.problems.extend(apart.map(|mapping| {
                format!(
                    "source {}: Redis is a cluster, and the stream {} has no hash tag, so its \
                     dead letters would be on another node. Name it such as {{{}}}",
                    mapping.id, mapping.stream, mapping.stream
                )
            }));
        }
        let mut groups = BTreeMap::new();
        for mapping in enabled {
            let group = (&mapping.stream, &mapping.group);
            if let Some(other) = groups.insert(group, &mapping.id) {
                declared.problems.push(format!(
                    "sources {other} and {} read the stream {} as one group, {}: each entry would \
                     go to one of them only. Give one another `group`",
                    mapping.id, mapping.stream, mapping.group
                ));
            }
        }
        declared.problems
    }

    fn probe<'a>(&'a self, app: &'a Application) -> BoxFuture<'a, Vec<Finding>> {
        probe(app).boxed()
    }

    fn server(&self, app: &Application) -> Option<String> {
        let used = declaration::read(app)
            .mappings
            .iter()
            .any(|mapping| mapping.enabled);
        let redis = app.redis_endpoint.as_ref().filter(|_| used)?;
        Some(format!("Redis Streams at {}", redis_client::address(redis)))
    }

    fn describe(&self, app: &Application, out: &mut String) {
        for mapping in &declaration::read(app).mappings {
            describe::mapping(out, mapping);
        }
    }

    fn open<'a>(&'a self, host: &'a SourceHost<'a>) -> BoxFuture<'a, OpenedSources> {
        async move { open(host) }.boxed()
    }
}

/// Whether a key has a hash tag: a text in the first braces, which alone selects its slot.
fn has_tag(key: &str) -> bool {
    key.split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .is_some_and(|(tag, _)| !tag.is_empty())
}

/// The server that has to run. Of nodes or Sentinels some may be away: then only [`probe`] decides.
fn servers(redis: &RedisEndpoint) -> Vec<LocalServer> {
    let servers = local_servers(&redis.url);
    if servers.len() > 1 || redis_client::is_sentinel(redis) {
        Vec::new()
    } else {
        servers
    }
}

fn planned(app: &Application, mapping: &RedisStreamMapping) -> PlannedSource {
    PlannedSource {
        id: mapping.id.clone(),
        function: mapping.function.clone(),
        subject: SourceSubject::Mapping,
        enabled: mapping.enabled,
        files: FILES,
        servers: app.redis_endpoint.as_ref().map(servers).unwrap_or_default(),
        settings: Some(TunableSource {
            id: mapping.id.clone(),
            function: mapping.function.clone(),
            subject: json!("redis-stream"),
            batch_size: mapping.batch_size,
            window: mapping.window,
            service_window: Duration::ZERO,
            max_concurrency: mapping.max_concurrency,
            units: None,
            rule: BatchSettings::independent,
        }),
    }
}

/// Checks that Redis answers, and that each key is a stream or does not exist.
async fn probe(app: &Application) -> Vec<Finding> {
    let mappings = declaration::read(app).mappings;
    let enabled: Vec<_> = mappings.iter().filter(|mapping| mapping.enabled).collect();
    let Some(endpoint) = app.redis_endpoint.as_ref().filter(|_| !enabled.is_empty()) else {
        return Vec::new();
    };
    let types = async {
        let link = redis_client::link(endpoint, TIMEOUT)?;
        let mut types: Vec<String> = Vec::new();
        for mapping in &enabled {
            let mut command = cmd("TYPE");
            command.arg(&mapping.stream);
            types.push(link.read_one("TYPE", command).await?.word()?);
        }
        Ok::<_, LinkError>(types)
    };
    let server = redis_client::address(endpoint);
    match types.await {
        Err(error) => vec![Finding::fail(format!(
            "Redis at {server} cannot be used: {error}. Start it, or correct redis and \
             redis-ca under [endpoints] of usher.toml"
        ))],
        Ok(types) => {
            let wrong = enabled.iter().zip(types);
            let wrong = wrong.filter(|(_, kind)| kind != "stream" && kind != "none");
            let found = wrong.map(|(mapping, kind)| {
                Finding::fail(format!(
                    "source {}: the key {} at Redis {server} is a {kind}, not a stream. Name \
                     another key, or remove it",
                    mapping.id, mapping.stream
                ))
            });
            found.collect()
        }
    }
}

fn open(host: &SourceHost<'_>) -> OpenedSources {
    let app = host.app;
    let mappings = declaration::read(app).mappings;
    let enabled = mappings.into_iter().filter(|mapping| mapping.enabled);
    let Some(endpoint) = &app.redis_endpoint else {
        return Ok(Vec::new());
    };
    let mut opened: Vec<Arc<dyn EventSource>> = Vec::new();
    for mapping in enabled {
        let link = redis_client::link(endpoint, TIMEOUT)
            .map_err(|why| SourceError::not_opened(format!("source {}", mapping.id), why))?;
        let server = redis_client::address(endpoint);
        tracing::info!(
            mapping = %mapping.id,
            "reads the stream {} at {server} as group {} for {}",
            mapping.stream,
            mapping.group,
            mapping.function
        );
        opened.push(Arc::new(RedisStreamSource::new(RedisStreamRuns {
            settings: mapping.machine(host.concurrency(&mapping.function)),
            drain: host.drain,
            link,
            server,
            consumer: format!("usher-{}-{}", host.host_id, mapping.id),
            origin: Origin {
                stream: mapping.name.clone(),
                arn: app.location.arn("sqs", &mapping.id),
                region: app.location.region.clone(),
            },
            invoker: host.invoker.clone(),
            progress: Arc::new(RedisStreamProgress::new(&mapping)),
            mapping,
        })));
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::has_tag;

    #[test]
    fn only_a_text_in_the_first_braces_is_a_tag() {
        for (key, expected) in [
            ("dev:{changes}", true),
            ("{a}{}", true),
            ("changes", false),
            ("{}changes", false),
            ("{}{a}", false),
            ("a}b{", false),
        ] {
            assert_eq!(has_tag(key), expected, "{key}");
        }
    }
}
