//! The closer on a Redis Cluster of three nodes.

use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_again;

#[test]
fn the_closer_works_on_a_cluster() {
    let cluster = PrivateCluster::start(3, 0);
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
    let url = cluster.url();
    run_again(&modules, &[("REDIS_GATE_URL", &url), ("CACHE_URL", &url)]);
}
