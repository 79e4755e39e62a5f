//! A host of one test, with one source or two.

use std::process::ExitStatus;

use serde_json::Value;
use testkit::eventually;

use super::items::Items;
use super::{Declaration, Place, Setup, SourceUnderTest};
use crate::sources_fixture::Host;
use crate::support::project;

pub(crate) struct Case<S> {
    pub(crate) host: Host,
    pub(crate) items: Items,
    /// The source of the function of the setup.
    pub(crate) source: S,
    /// The source of the function `Other`, if the test has one.
    other: Option<S>,
}

impl<S: SourceUnderTest> Case<S> {
    /// A host that is not up.
    pub(crate) async fn down(setup: Setup) -> Self {
        Self::made(setup, S::new(setup).await, None)
    }

    /// A host that is up.
    pub(crate) async fn up(setup: Setup) -> Self {
        let mut case = Self::down(setup).await;
        case.host.up().await;
        case
    }

    /// A host that is up, with a source for the function `Other` as well.
    pub(crate) async fn with_neighbour(setup: Setup) -> Self {
        let other = S::new(Setup {
            function: "Other",
            ..setup
        });
        let mut case = Self::made(setup, S::new(setup).await, Some(other.await));
        case.host.up().await;
        case
    }

    fn made(setup: Setup, source: S, other: Option<S>) -> Self {
        let folder = project("");
        let items = Items::at(folder.path().join("items"));
        let worker = source.declare();
        let neighbour = other.as_ref().map(S::declare);
        let mut template = "Transform: AWS::Serverless-2016-10-31\nResources:\n".to_owned();
        template += &function(setup, &worker, &items);
        if let Some(neighbour) = &neighbour {
            let setup = Setup {
                function: "Other",
                ..setup
            };
            template += &function(setup, neighbour, &items);
        }
        let mut settings = worker.settings;
        settings.extend(neighbour.into_iter().flat_map(|other| other.settings));
        settings.sort();
        settings.dedup();
        Self {
            host: Host::at(folder, &template, &settings.join("\n")),
            items,
            source,
            other,
        }
    }

    /// The source of the function `Other`.
    pub(crate) fn other(&self) -> &S {
        self.other.as_ref().expect("a case with a neighbour")
    }

    pub(crate) async fn send(&self, items: &[String]) {
        self.source.send(&self.host, items).await;
    }

    /// Sends so many items. Returns them.
    pub(crate) async fn send_new(&self, count: usize) -> Vec<String> {
        let items = self.source.plan(count);
        self.send(&items).await;
        items
    }

    /// The entry of a source in the status.
    pub(crate) async fn entry(&self, place: &Place) -> Value {
        place.entry(&self.host.json("/_usher/status").await)
    }

    /// Waits for this lag in the status, and in the metrics.
    pub(crate) async fn eventually_lags(&self, items: usize) {
        let place = self.source.place();
        let expected = |lag: u64| S::is_lag(lag, items as u64);
        eventually(&format!("a lag of {items} in the status"), async || {
            S::lag(&self.entry(&place).await).filter(|lag| expected(*lag))
        })
        .await;
        eventually(&format!("a lag of {items} in the metrics"), async || {
            let metrics = self.host.metrics().await;
            let lag = place
                .lag
                .iter()
                .map(|sample| sum(&metrics, sample))
                .sum::<Option<f64>>()?;
            expected(lag as u64).then_some(())
        })
        .await;
    }

    /// Waits until a source is in this state. Returns its entry in the status.
    pub(crate) async fn eventually_in(&self, place: &Place, state: &str) -> Value {
        self.host
            .eventually_where(state, |status| place.entry(status))
            .await
    }

    /// The same; and `/health` and the metrics name the source with this state. Returns its
    /// reason.
    pub(crate) async fn eventually_named(&self, place: &Place, state: &str) -> String {
        let entry = self.eventually_in(place, state).await;
        let (status, health) = self.host.health().await;
        assert_eq!(status, 503, "{health}");
        let problems = health["problems"].as_array().unwrap();
        let named = |problem: &&Value| {
            let of = [&problem["mapping"], &problem["function"]];
            of.contains(&&Value::from(place.id.as_str())) && problem["state"] == state
        };
        assert!(problems.iter().any(|problem| named(&problem)), "{health}");
        let Place { kind, id, up, .. } = place;
        let metrics = self.host.metrics().await;
        let sample =
            format!("usher_source_state{{kind=\"{kind}\",source=\"{id}\",state=\"{state}\"}}");
        assert_eq!(sum(&metrics, &sample), Some(1.0), "{sample}");
        if let Some(up) = up {
            assert_eq!(sum(&metrics, up), Some(0.0), "{up}");
        }
        let reason = &entry["health"]["reason"];
        reason.as_str().unwrap().to_owned()
    }

    /// Waits until a source is well, and the host with it.
    pub(crate) async fn eventually_well(&self, place: &Place) {
        self.eventually_in(place, "ok").await;
        eventually("/health is well", async || {
            (self.host.health().await.0 == 200).then_some(())
        })
        .await;
        if let Some(up) = &place.up {
            assert_eq!(sum(&self.host.metrics().await, up), Some(1.0), "{up}");
        }
    }

    /// Waits until the server holds nothing that is not done.
    pub(crate) async fn eventually_empty(&self) {
        eventually("the source is empty", async || {
            self.source.is_empty().await.then_some(())
        })
        .await;
    }

    /// Requests a drain and waits until it has begun.
    pub(crate) async fn begin_drain(&self) {
        self.host.terminate();
        eventually("the host drains", async || {
            self.host.log().contains("draining").then_some(())
        })
        .await;
    }

    /// Waits for the end of the host.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("the host has ended", async || self.host.ended()).await
    }
}

/// The sum of the samples that begin with this. `None`: there is none.
fn sum(metrics: &str, beginning: &str) -> Option<f64> {
    let values: Vec<f64> = metrics
        .lines()
        .filter(|line| line.starts_with(beginning))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
        .collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

fn function(setup: Setup, declaration: &Declaration, items: &Items) -> String {
    let concurrency = setup.concurrency.map_or_else(String::new, |limit| {
        format!("      ReservedConcurrentExecutions: {limit}\n")
    });
    format!(
        "  {}:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: {}
      Environment: {{Variables: {{ITEMS: '{}'}}}}
{concurrency}{}",
        setup.function,
        setup.timeout,
        items.folder().display(),
        declaration.properties,
    )
}
