//! The storefront on a Redis Cluster of three nodes.

use testkit::suite::run_on_cluster;

#[test]
fn the_storefront_works_on_a_cluster() {
    let modules = [
        "changes::",
        "create::",
        "orders::",
        "payments::",
        "programs::",
        "limits::",
        "waiting_room::",
    ];
    run_on_cluster(&modules, &["REDIS_GATE_URL", "CACHE_URL"]);
}
