//! The scripts of the shared cache.

const FRAGMENTS: [(&str, &str); 1] = [("cache/keys", include_str!("lua/keys.lua"))];

redis_link::scripts! {
    "cache", &FRAGMENTS;
    GET = "get";
    PUT = "put";
    RAISE = "raise";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn a_floor_rises_also_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            let expected = if script.name() == "cache/raise" {
                "#!lua flags=allow-oom"
            } else {
                "#!lua"
            };
            assert_eq!(first, expected, "{}", script.name());
        }
    }
}
