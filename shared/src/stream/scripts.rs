//! The scripts of the streams, and the fragments they include.

use std::sync::LazyLock;

use crate::link::{self, Script};

const FRAGMENTS: [(&str, &str); 3] = [
    ("stream/ids", include_str!("lua/ids.lua")),
    ("stream/group", include_str!("lua/group.lua")),
    link::SERVER_FRAGMENT,
];

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {
        $(pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!("stream/", $file), include_str!(concat!("lua/", $file, ".lua")), &FRAGMENTS));)*

        #[cfg(test)]
        static ALL: &[&LazyLock<Script>] = &[$(&$name),*];
    };
}

scripts! {
    PUBLISH = "publish";
    BROADCAST_OPEN = "broadcast_open";
    BROADCAST_LOOK = "broadcast_look";
    GROUP_CREATE = "group_create";
    GROUP_TAKE_OVER = "group_take_over";
    GROUP_NEXT = "group_next";
    GROUP_BURY = "group_bury";
    GROUP_HOLD = "group_hold";
    GROUP_LEAVE = "group_leave";
    GROUP_STATE = "group_state";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn nothing_of_a_stream_is_refused_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            match script.name() {
                "stream/broadcast_look" | "stream/group_state" => {
                    assert_eq!(first, "#!lua flags=no-writes");
                }
                name => assert_eq!(first, "#!lua flags=allow-oom", "{name}"),
            }
        }
    }
}
