//! The storefront on a Redis Cluster of three nodes.

use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_again;

#[test]
fn the_storefront_works_on_a_cluster() {
    let cluster = PrivateCluster::start(3, 0);
    let modules = [
        "changes::",
        "create::",
        "orders::",
        "payments::",
        "programs::",
    ];
    let url = cluster.url();
    run_again(&modules, &[("REDIS_GATE_URL", &url), ("CACHE_URL", &url)]);
}
