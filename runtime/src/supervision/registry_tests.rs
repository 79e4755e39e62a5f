use super::*;

fn status(registry: &ComponentRegistry, now: Instant) -> (bool, u64, Option<String>) {
    let status = registry.status(now).remove(0);
    (status.up, status.restarts, status.problem)
}

#[test]
fn an_end_is_reported_until_a_steady_run() {
    let registry = ComponentRegistry::default();
    let start = Instant::now();
    let part = registry.component("mapping A");
    assert_eq!(status(&registry, start), (true, 0, None));
    part.started(start);
    assert_eq!(status(&registry, start), (true, 0, None));
    part.ended("it panicked");
    let named = Some("it panicked".to_owned());
    assert_eq!(status(&registry, start), (false, 0, named.clone()));
    part.started(start);
    assert_eq!(status(&registry, start + STEADY / 2), (false, 1, named));
    assert_eq!(status(&registry, start + STEADY), (true, 1, None));
}

#[test]
fn a_component_panics_on_purpose_once() {
    let registry =
        ComponentRegistry::panicking(["schedule A", "nothing", "polling A"].map(str::to_owned));
    let part = registry.component("schedule A");
    let other = registry.component("schedule B");
    registry.add_thread("polling A".to_owned());
    assert_eq!(registry.unknown_faults(), ["nothing"]);
    assert_eq!(
        [part.must_panic(), part.must_panic(), other.must_panic()],
        [true, false, false]
    );
}
