//! The scripts of the gate.

use delay_queue::FRAGMENTS as DELAY_FRAGMENTS;
use redis_link::SERVER_FRAGMENT;

const FRAGMENTS: [(&str, &str); 13] = [
    DELAY_FRAGMENTS[0],
    DELAY_FRAGMENTS[1],
    SERVER_FRAGMENT,
    ("gate/keys", include_str!("lua/keys.lua")),
    ("gate/reservation", include_str!("lua/reservation.lua")),
    ("gate/earlier", include_str!("lua/earlier.lua")),
    ("gate/idems", include_str!("lua/idems.lua")),
    ("gate/seats", include_str!("lua/seats.lua")),
    ("gate/layouts", include_str!("lua/layouts.lua")),
    ("gate/best", include_str!("lua/best.lua")),
    ("gate/terms", include_str!("lua/terms.lua")),
    ("gate/many", include_str!("lua/many.lua")),
    ("gate/room", include_str!("lua/room.lua")),
];

redis_link::scripts! {
    "gate", &FRAGMENTS;
    RESERVE = "reserve";
    RECALL = "recall";
    ACCEPT = "accept";
    ABANDON = "abandon";
    CONFIRM = "confirm";
    SETTLE = "settle";
    INSTALL_CLAIM = "install_claim";
    INSTALL_BEGIN = "install_begin";
    INSTALL_RENEW = "install_renew";
    INSTALL_MERGE = "install_merge";
    INSTALL_KEYS = "install_keys";
    INSTALL_OPEN = "install_open";
    INSTALL_GROW = "install_grow";
    BLOCK = "block";
    LOOK = "look";
    RESERVATION = "reservation_read";
    AUDIT = "audit";
    TICKETS = "tickets";
    WAIT_BEGIN = "wait_begin";
    WAIT_END = "wait_end";
    ROOM_JOIN = "room_join";
    ROOM_LOOK = "room_look";
    ROOM_ADMIT = "room_admit";
    ROOM_ADMISSION = "room_admission";
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn only_what_adds_data_is_refused_under_memory_pressure() {
        for script in ALL {
            let first = script.source().lines().next().unwrap_or_default();
            match script.name() {
                "gate/install_renew" => assert_eq!(first, "#!lua flags=allow-oom"),
                name if matches!(name, "gate/reserve" | "gate/wait_begin" | "gate/room_join")
                    || name.starts_with("gate/install_") =>
                {
                    assert_eq!(first, "#!lua", "{name}");
                }
                "gate/look" | "gate/reservation_read" | "gate/room_admission" => {
                    assert_eq!(first, "#!lua flags=no-writes");
                }
                name => assert_eq!(first, "#!lua flags=allow-oom", "{name}"),
            }
        }
    }
}
