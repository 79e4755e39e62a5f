//! The scripts of the queue's verbs, and the fragments that other scripts include.

use std::sync::LazyLock;

use crate::link::Script;

/// Fragments by the name that `--@include` lines use.
pub(crate) const FRAGMENTS: [(&str, &str); 4] = [
    ("delay/clock", include_str!("lua/clock.lua")),
    ("delay/entry", include_str!("lua/entry.lua")),
    ("delay/held", include_str!("lua/held.lua")),
    ("delay/aside", include_str!("lua/aside.lua")),
];

macro_rules! verbs {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!("delay/", $file), include_str!(concat!("lua/", $file, ".lua")), &FRAGMENTS));)*

        #[cfg(test)]
        static ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

verbs! {
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
