//! The scripts of the streams.

use redis_link::SERVER_FRAGMENT;

const FRAGMENTS: [(&str, &str); 3] = [
    ("stream/ids", include_str!("lua/ids.lua")),
    ("stream/group", include_str!("lua/group.lua")),
    SERVER_FRAGMENT,
];

redis_link::scripts! {
    "stream", &FRAGMENTS;
    PUBLISH = "publish";
    BROADCAST_OPEN = "broadcast_open";
    BROADCAST_READ = "broadcast_read";
    GROUP_CREATE = "group_create";
    GROUP_TAKE_OVER = "group_take_over";
    GROUP_NEXT = "group_next";
    GROUP_PARK = "group_park";
    GROUP_HOLD = "group_hold";
    GROUP_LEAVE = "group_leave";
    GROUP_STATE = "group_state";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn no_script_is_refused_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            match script.name() {
                "stream/broadcast_read" | "stream/group_state" => {
                    assert_eq!(first, "#!lua flags=no-writes");
                }
                name => assert_eq!(first, "#!lua flags=allow-oom", "{name}"),
            }
        }
    }
}
