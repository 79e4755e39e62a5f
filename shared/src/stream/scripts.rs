//! The scripts of the streams, and the fragments they include.

use std::sync::LazyLock;

use crate::link::{self, Script};

const FRAGMENTS: [(&str, &str); 2] = [("stream/ids", include_str!("lua/ids.lua")), link::SERVER_FRAGMENT];

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
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn nothing_of_a_stream_is_refused_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            match script.name() {
                "stream/broadcast_look" => assert_eq!(first, "#!lua flags=no-writes"),
                name => assert_eq!(first, "#!lua flags=allow-oom", "{name}"),
            }
        }
    }
}
