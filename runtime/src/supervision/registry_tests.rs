use super::*;

fn status(registry: &Registry, now: Instant) -> (bool, u64, Option<String>) {
    let status = registry.status(now).remove(0);
    (status.up, status.restarts, status.problem)
}

#[test]
fn a_part_that_ended_is_named_until_it_runs_steadily() {
    let registry = Registry::default();
    let start = Instant::now();
    let part = registry.part("mapping A");
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
fn a_part_panics_on_purpose_once() {
    let registry = Registry::panicking(["schedule A", "nothing", "polling A"].map(str::to_owned));
    let (part, other) = (registry.part("schedule A"), registry.part("schedule B"));
    registry.add_thread("polling A".to_owned());
    assert_eq!(registry.unknown_faults(), ["nothing"]);
    assert_eq!(
        [part.is_to_panic(), part.is_to_panic(), other.is_to_panic()],
        [true, false, false]
    );
}
