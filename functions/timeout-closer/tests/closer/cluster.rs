//! The closer on a Redis Cluster of three nodes.

use testkit::suite::run_on_cluster;

#[test]
fn the_closer_works_on_a_cluster() {
    let modules = [
        "auditing::",
        "closing::",
        "filling::",
        "lost::",
        "orders::",
        "publishing::",
        "sweeping::",
        "unstored::",
    ];
    run_on_cluster(&modules, &["REDIS_GATE_URL", "CACHE_URL"]);
}
