use std::time::{Duration, Instant};

use super::{FENCED_AGAIN_WITHIN, Membership};

#[test]
fn a_name_fenced_twice_is_replaced() {
    let mut membership = Membership::default();
    let start = Instant::now();
    assert_eq!(membership.name("host"), "host");
    membership.fenced(start, 1);
    assert_eq!(membership.name("host"), "host");
    membership.fenced(start + FENCED_AGAIN_WITHIN, 2);
    assert_eq!(membership.name("host"), "host");
    membership.fenced(start + FENCED_AGAIN_WITHIN + Duration::from_secs(1), 0xab);
    assert_eq!(membership.name("host"), "host-000000ab");
}
