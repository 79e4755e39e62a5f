//! The bridge on a Redis Cluster of three nodes.

use testkit::redis_cluster::PrivateCluster;
use testkit::suite::run_again;

#[test]
fn entries_are_bridged_from_a_cluster() {
    let cluster = PrivateCluster::start(3, 0);
    let modules = ["forwarding::", "fifo::"];
    let url = cluster.url();
    run_again(&modules, &[("CACHE_URL", &url)]);
}
