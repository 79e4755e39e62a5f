//! The scripts of the queue, and the fragments that other scripts may include.

/// Fragments `(name, text)` for [`redis_link::Script`]: functions that change entries in the same
/// step as the rest of a script. `delay/entry` needs `delay/clock`; the others need both.
pub const FRAGMENTS: [(&str, &str); 4] = [
    ("delay/clock", include_str!("lua/clock.lua")),
    ("delay/entry", include_str!("lua/entry.lua")),
    ("delay/fence", include_str!("lua/fence.lua")),
    ("delay/parked_set", include_str!("lua/parked_set.lua")),
];

redis_link::scripts! {
    "delay", &FRAGMENTS;
    SCHEDULE = "schedule";
    CLAIM = "claim";
    ACK = "ack";
    EXTEND = "extend";
    RETRY = "retry";
    PARK = "park";
    REPLAY = "replay";
    RESCHEDULE = "reschedule";
    CANCEL = "cancel";
    PEEK = "peek";
    STATS = "stats";
    PARKED = "parked";
    PENDING = "pending";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn only_schedule_is_refused_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            match script.name() {
                "delay/schedule" => assert_eq!(first, "#!lua"),
                "delay/peek" | "delay/stats" | "delay/parked" | "delay/pending" => {
                    assert_eq!(first, "#!lua flags=no-writes");
                }
                name => assert_eq!(first, "#!lua flags=allow-oom", "{name}"),
            }
        }
    }
}
