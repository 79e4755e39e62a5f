//! CPU of each component.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Sub;

use anyhow::Result;
use ticket_rush::host::StatusClient;
use ticket_rush::locations::Servers;
use ticket_rush::status::HostStatus;

use crate::cpu;
use crate::servers::Server;

/// What uses CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Component {
    Usher,
    /// All functions of the storefront.
    Storefront,
    OrderCreate,
    OtherFunctions,
    Server(Server),
    LoadGenerator,
    Machine,
}

impl Component {
    pub(super) const GATE: Self = Self::Server(Server::Gate);
    pub(super) const CACHE: Self = Self::Server(Server::Cache);
    pub(super) const POSTGRES: Self = Self::Server(Server::Postgres);
    pub(super) const KAFKA: Self = Self::Server(Server::Kafka);
    pub(super) const ALL: [Self; 11] = [
        Self::Usher,
        Self::Storefront,
        Self::OrderCreate,
        Self::OtherFunctions,
        Self::GATE,
        Self::CACHE,
        Self::POSTGRES,
        Self::KAFKA,
        Self::Server(Server::Sqs),
        Self::LoadGenerator,
        Self::Machine,
    ];
    /// The first of all: the host and what it runs.
    pub(super) const OWN: &'static [Self] = Self::ALL.split_at(4).0;
    /// The first of all: everything but the load generator and the machine.
    pub(super) const SYSTEM: &'static [Self] = Self::ALL.split_at(9).0;

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Usher => "usher",
            Self::Storefront => "storefront",
            Self::OrderCreate => "order-create",
            Self::OtherFunctions => "other functions",
            Self::Server(server) => server.name(),
            Self::LoadGenerator => "load generator",
            Self::Machine => "the machine",
        }
    }

    /// The component of a function of the template.
    fn of_function(function: &str) -> Self {
        match function {
            "OrderCreate" => Self::OrderCreate,
            name if name.starts_with("Storefront") => Self::Storefront,
            _ => Self::OtherFunctions,
        }
    }
}

/// Process ids by component of the host.
pub(super) fn processes(status: &HostStatus) -> BTreeMap<Component, Vec<u32>> {
    let mut processes = BTreeMap::from([(Component::Usher, vec![status.pid])]);
    for function in &status.functions {
        let component = Component::of_function(&function.function);
        let pids = function.instances.iter().filter_map(|i| i.pid);
        processes.entry(component).or_default().extend(pids);
    }
    processes
}

/// CPU times at one time.
pub(super) struct Reading {
    components: BTreeMap<Component, cpu::Reading>,
    machine: f64,
}

/// CPU seconds by component.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Times(BTreeMap<Component, f64>);

impl Reading {
    pub(super) async fn take(watch: &StatusClient) -> Result<Self> {
        let processes = processes(&watch.status().await?);
        let mut components: BTreeMap<_, _> = processes
            .into_iter()
            .map(|(component, pids)| (component, cpu::Reading::of(pids)))
            .collect();
        let servers = Servers::from_env();
        for server in Server::ALL {
            // PostgreSQL has a process for each session.
            if let Some(pid) = server.process(&servers) {
                let reading = cpu::Reading::of_family(pid);
                components.insert(Component::Server(server), reading);
            }
        }
        components.insert(Component::LoadGenerator, cpu::Reading::own());
        Ok(Self {
            components,
            machine: machine_seconds().unwrap_or(f64::NAN),
        })
    }

    pub(super) fn since(&self, before: &Self) -> Times {
        let none = cpu::Reading::default();
        let mut times: BTreeMap<_, _> = self
            .components
            .iter()
            .map(|(component, now)| {
                let before = before.components.get(component).unwrap_or(&none);
                (*component, now.since(before))
            })
            .collect();
        times.insert(Component::Machine, self.machine - before.machine);
        Times(times)
    }
}

impl Times {
    /// The sum of some components; those without a process count nothing.
    pub(super) fn sum(&self, of: &[Component]) -> f64 {
        of.iter()
            .filter_map(|component| self.0.get(component))
            .sum()
    }

    pub(super) fn is_missing(&self, component: Component) -> bool {
        !self.0.contains_key(&component)
    }

    pub(super) fn map(mut self, change: impl Fn(f64) -> f64) -> Self {
        for seconds in self.0.values_mut() {
            *seconds = change(*seconds);
        }
        self
    }
}

impl Sub for Times {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        for (component, seconds) in &mut self.0 {
            *seconds -= other.0.get(component).copied().unwrap_or(0.0);
        }
        self
    }
}

/// CPU seconds of the machine since its start, without idle and waiting time.
fn machine_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<f64> = line
        .split_whitespace()
        .filter_map(|ticks| ticks.parse().ok())
        .collect();
    // user, nice, system, idle, iowait, irq, softirq
    let busy = [0, 1, 2, 5, 6].map(|n| ticks.get(n).copied());
    let busy: Option<f64> = busy.into_iter().sum();
    Some(busy? / cpu::TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_the_storefront_is_one_component() {
        for name in ["Storefront", "StorefrontLookups", "StorefrontPayments"] {
            assert_eq!(Component::of_function(name), Component::Storefront);
        }
        let create = Component::of_function("OrderCreate");
        assert_eq!(create, Component::OrderCreate);
        let other = Component::of_function("TimeoutCloser");
        assert_eq!(other, Component::OtherFunctions);
    }

    #[test]
    fn the_idle_part_of_each_component_is_subtracted() {
        let times = |usher: f64, kafka: f64| {
            Times(BTreeMap::from([
                (Component::Usher, usher),
                (Component::KAFKA, kafka),
            ]))
        };
        let net = times(3.0, 2.0) - times(1.0, 0.5).map(|s| s * 2.0);
        assert_eq!(net, times(1.0, 1.0));
        let of = [Component::Usher, Component::KAFKA, Component::GATE];
        assert!((net.sum(&of) - 2.0).abs() < 1e-9);
        assert!(net.is_missing(Component::GATE));
    }
}
